import fc from 'fast-check';
import t from 'tap';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  fromBytes,
  fromMilli,
  parseQuantity,
  QuantityError,
  type QuantityFormat,
  subtractQuantities,
  toBytes,
  toMilli,
} from './quantity.js';

t.test('prints quantities as Kubernetes does', async (t) => {
  const cases: [string | number, string][] = [
    ['0', '0'],
    ['0.0', '0'],
    ['0Ki', '0'],
    ['-0', '0'],
    ['1', '1'],
    [1, '1'],
    [0.5, '500m'],
    ['0.5', '500m'],
    ['100m', '100m'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['1.5', '1500m'],
    ['1024Mi', '1Gi'],
    ['1025Mi', '1025Mi'],
    ['1.5Gi', '1536Mi'],
    ['1000Ki', '1000Ki'],
    ['512Ki', '512Ki'],
    ['0.5Ki', '512'],
    ['1000', '1k'],
    ['1000000', '1M'],
    ['128974848', '128974848'],
    ['129e6', '129e6'],
    ['129M', '129M'],
    ['1e3', '1e3'],
    ['1E3', '1E3'],
    ['10e2', '1e3'],
    ['1000E', '1000E'],
    ['0.0000000001', '1n'],
    ['-1.5', '-1500m'],
    ['+5', '+5'],
    ['9223372036854775807', '9223372036854775807'],
    ['8Ei', '9223372036854775807'],
    ['1.1Ki', '1126400m'],
    ['0.1Ki', '102400m'],
  ];
  for (const [input, expected] of cases) t.equal(canonicalQuantity(input), expected, `${input}`);
});

t.test('refuses what is no quantity, in the words of Kubernetes', async (t) => {
  for (const input of ['', 'abc', '1.2.3', '1 Gi', '--1', 'Mi', '10GB', '1+1.0M', '1Gi ', '٣']) {
    t.throws(() => parseQuantity(input), QuantityError, input);
  }
  t.throws(() => parseQuantity('lots'), { message: /^quantities must match the regular expression '\^\(/ });
  t.throws(() => parseQuantity('1mi'), { message: "unable to parse quantity's suffix" });
  t.throws(() => parseQuantity('1e999999999'), { message: 'unable to parse numeric part of quantity' });
});

t.test('computes and converts exactly', async (t) => {
  t.equal(addQuantities('100m', '0.9'), '1');
  t.equal(addQuantities('1Gi', '1Gi', '512Mi'), '2560Mi');
  t.equal(addQuantities('0', '1Gi'), '1Gi');
  t.equal(addQuantities(), '0');
  t.equal(subtractQuantities('1', '1m'), '999m');
  t.equal(subtractQuantities('0', '1Gi'), '-1Gi');
  t.equal(toMilli('1500m'), 1500);
  t.equal(toMilli('1u'), 1);
  t.equal(toMilli('2'), 2000);
  t.equal(toBytes('1Gi'), 2 ** 30);
  t.equal(toBytes('1500m'), 2);
  t.equal(fromMilli(2000), '2');
  t.equal(fromBytes(2 ** 30), '1Gi');
  t.ok(
    compareQuantities('1', '1000m') === 0 &&
      compareQuantities('1Ki', '1k') > 0 &&
      compareQuantities('1m', '2m') < 0,
  );
});

const amounts = fc.record({
  nanos: fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }),
  format: fc.constantFrom<QuantityFormat>('DecimalSI', 'BinarySI', 'DecimalExponent'),
});

t.test('format and parse are inverse; sums are those of the numbers', async () => {
  fc.assert(fc.property(amounts, (amount) => parseQuantity(formatQuantity(amount)).nanos === amount.nanos));
  fc.assert(
    fc.property(amounts, (amount) => {
      const text = formatQuantity(amount);
      return canonicalQuantity(text) === text;
    }),
  );
  fc.assert(
    fc.property(amounts, amounts, (a, b) => {
      const sum = addQuantities(formatQuantity(a), formatQuantity(b));
      return (
        parseQuantity(sum).nanos === a.nanos + b.nanos &&
        compareQuantities(subtractQuantities(sum, formatQuantity(b)), formatQuantity(a)) === 0
      );
    }),
  );
});
