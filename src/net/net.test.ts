import fc from 'fast-check';
import t from 'tap';
import { Bitmap } from './bitmap.js';
import {
  addressAt,
  blockAt,
  containsCidr,
  countOfBlocks,
  formatCidr,
  indexOf,
  indexOfBlock,
  mustParseCidr,
  overlaps,
  parseCidr,
  sizeOf,
} from './cidr.js';
import { formatIp, isIp, isIpv4, parseIp } from './ip.js';

t.test('addresses are parsed strictly', async (t) => {
  for (const text of [
    '0.0.0.0',
    '10.96.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fd00::',
    '2001:db8::1:0:0:1',
    '::ffff:1.2.3.4',
  ]) {
    t.ok(isIp(text), text);
  }
  const bad = [
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '1.2.3.256',
    '1.2.3.-1',
    ' 1.2.3.4',
    '1.2.3.4 ',
    '0x1.2.3.4',
  ];
  const bad6 = [
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    'g::',
    'fe80::1%eth0',
    '1:2:3:4:5:6:7:8::',
  ];
  for (const text of [...bad, ...bad6]) t.notOk(isIp(text), JSON.stringify(text));
  t.ok(isIpv4('1.2.3.4'));
  t.notOk(isIpv4('::1'));
});

t.test('addresses survive a round trip in canonical form', async (t) => {
  const v4 = fc.bigInt(0n, 2n ** 32n - 1n).map((value) => ({ family: 4 as const, value }));
  const sparse = fc.array(fc.oneof(fc.constant(0n), fc.bigInt(0n, 0xffffn)), { minLength: 8, maxLength: 8 });
  const v6 = sparse.map((groups) => ({
    family: 6 as const,
    value: groups.reduce((all, group) => (all << 16n) | group, 0n),
  }));
  fc.assert(
    fc.property(fc.oneof(v4, v6), (ip) => {
      const again = parseIp(formatIp(ip));
      return again?.value === ip.value && again.family === ip.family;
    }),
  );
  t.equal(formatIp({ family: 6, value: 0n }), '::');
  t.equal(formatIp({ family: 6, value: 1n }), '::1');
  t.equal(
    formatIp({ family: 6, value: 0x20010db8_0000_0000_0001_0000_0000_0001n & (2n ** 128n - 1n) }).includes(
      ':::',
    ),
    false,
  );
});

t.test('blocks', async (t) => {
  t.equal(formatCidr(mustParseCidr('10.244.7.9/16')), '10.244.0.0/16');
  t.equal(parseCidr('10.244.7.9/16', true), undefined);
  for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/08', '10.0.0/8', '::/129', '/8', '10.0.0.0/-1']) {
    t.equal(parseCidr(text), undefined, text);
  }
  t.throws(() => mustParseCidr('nonsense'), { message: /no CIDR/ });
  const pods = mustParseCidr('10.244.0.0/16');
  t.equal(sizeOf(pods), 65536n);
  t.equal(countOfBlocks(pods, 24), 256);
  t.equal(countOfBlocks(pods, 8), 0);
  t.equal(formatCidr(blockAt(pods, 24, 255)), '10.244.255.0/24');
  t.throws(() => blockAt(pods, 24, 256), RangeError);
  t.throws(() => addressAt(pods, 65536), RangeError);
  t.ok(overlaps(pods, mustParseCidr('10.0.0.0/8')));
  t.notOk(overlaps(pods, mustParseCidr('10.96.0.0/12')));
  t.notOk(overlaps(pods, mustParseCidr('::/0')));
  t.equal(indexOf(pods, '10.245.0.0'), undefined);
});

t.test('addresses and sub-blocks of a block are numbered without gap', async () => {
  const blocks = fc.record({
    base: fc.bigInt(0n, 2n ** 32n - 1n),
    prefix: fc.integer({ min: 8, max: 28 }),
    more: fc.integer({ min: 0, max: 4 }),
  });
  fc.assert(
    fc.property(blocks, fc.nat(), ({ base, prefix, more }, seed) => {
      const outer = mustParseCidr(`${formatIp({ family: 4, value: base })}/${prefix}`);
      const index = seed % countOfBlocks(outer, prefix + more);
      const inner = blockAt(outer, prefix + more, index);
      const at = BigInt(seed) % sizeOf(outer);
      return (
        containsCidr(outer, inner) &&
        indexOfBlock(outer, inner) === index &&
        indexOf(outer, addressAt(outer, at)) === at
      );
    }),
  );
});

t.test('a bitmap behaves like a set', async () => {
  const commands = fc.array(
    fc.oneof(
      fc.record({ do: fc.constant('allocate' as const), index: fc.constant(0) }),
      fc.record({ do: fc.constantFrom('specific' as const, 'release' as const), index: fc.nat(69) }),
    ),
    { maxLength: 300 },
  );
  fc.assert(
    fc.property(commands, (all) => {
      const bitmap = new Bitmap(70);
      const model = new Set<number>();
      for (const { do: what, index } of all) {
        if (what === 'allocate') {
          const got = bitmap.allocate();
          if ((got === undefined) !== (model.size === 70) || (got !== undefined && model.has(got)))
            return false;
          if (got !== undefined) model.add(got);
        } else if (what === 'specific') {
          if (bitmap.allocateSpecific(index) === model.has(index)) return false;
          model.add(index);
        } else if (bitmap.release(index) !== model.delete(index)) return false;
        if (bitmap.used !== model.size || bitmap.has(index) !== model.has(index)) return false;
      }
      return true;
    }),
  );
});

t.test('a bitmap hands out all numbers, and the one just freed last', async (t) => {
  const bitmap = new Bitmap(100);
  t.same(new Set(Array.from({ length: 100 }, () => bitmap.allocate())).size, 100);
  t.equal(bitmap.allocate(), undefined);
  bitmap.release(41);
  t.equal(bitmap.allocate(), 41);
  const fresh = new Bitmap(3);
  t.equal(fresh.allocate(), 0);
  fresh.release(0);
  t.equal(fresh.allocate(), 1);
  t.throws(() => fresh.allocateSpecific(3), RangeError);
  t.throws(() => fresh.release(-1), RangeError);
  t.throws(() => new Bitmap(-1), RangeError);
});

t.test('a bitmap hands out its lower band last', async (t) => {
  const bitmap = new Bitmap(5, 3);
  t.same(
    [1, 2, 3, 4, 5, 6].map(() => bitmap.allocate()),
    [3, 4, 0, 1, 2, undefined],
  );
});
