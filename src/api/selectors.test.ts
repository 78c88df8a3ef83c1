import fc from 'fast-check';
import t from 'tap';
import { resolvePercent } from './intorstring.js';
import {
  dns1035LabelErrors,
  dnsLabelErrors,
  dnsSubdomainErrors,
  labelKeyErrors,
  portNameErrors,
} from './names.js';
import {
  matchesFields,
  type Operator,
  parseFieldSelector,
  parseLabelSelector,
  type Requirement,
  Selector,
  SelectorError,
  selectorOf,
  selectorOfLabels,
} from './selectors.js';

t.test('label selectors match as documented', async (t) => {
  const labels = { app: 'web', tier: 'front', weight: '5' };
  const matching = [
    '',
    'app=web',
    'app==web',
    'app!=db',
    'x!=y',
    'app in (web, db)',
    'app notin (db)',
    'x notin (a)',
    'app',
    '!x',
    'weight>4',
    'weight<6',
    'app=web,tier=front , !x',
  ];
  const others = [
    'app=db',
    'app!=web',
    'app in (db)',
    'app notin (web)',
    '!app',
    'x',
    'weight>5',
    'app>1',
    'x>1',
    'app=',
    'app in ()',
    'app=web,x',
  ];
  for (const text of matching) t.ok(parseLabelSelector(text).matches(labels), text);
  for (const text of others) t.notOk(parseLabelSelector(text).matches(labels), text);
  t.ok(parseLabelSelector('toString notin (x)').matches({}), 'names of Object.prototype are not labels');
  t.ok(parseLabelSelector('in in (in,notin)').matches({ in: 'notin' }));
});

t.test('label selectors: errors are those of kube-apiserver', async (t) => {
  const cases: [string, string][] = [
    ['a=b=c', "found '=', expected: ',' or 'end of string'"],
    ['=a', "found '=', expected: !, identifier, or 'end of string'"],
    ['a,', "found '', expected: identifier after ','"],
    ['a,,b', "found ',', expected: identifier after ','"],
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['a in b', "unable to parse requirement: found 'b' expected: '('"],
    ['a in (b', "unable to parse requirement: found '', expected: ',' or ')'"],
    ['!', "unable to parse requirement: found '', expected: identifier"],
  ];
  for (const [text, message] of cases) t.throws(() => parseLabelSelector(text), { message }, text);
  t.throws(() => parseLabelSelector('-a=b'), {
    message: /^unable to parse requirement: key: Invalid value: "-a": name part must consist of/,
  });
  t.throws(() => parseLabelSelector('a=b/c'), {
    message: /^values\[0\]\[a\]: Invalid value: "b\/c": a valid label must be/,
  });
  t.throws(() => parseLabelSelector('a>b'), { message: /the value must be an integer/ });
});

t.test('LabelSelector objects', async (t) => {
  t.notOk(selectorOf(undefined).matches({ a: 'b' }));
  t.ok(selectorOf({}).matches({ a: 'b' }) && selectorOf({}).isEmpty);
  const selector = selectorOf({
    matchLabels: { b: '1' },
    matchExpressions: [
      { key: 'a', operator: 'In', values: ['y', 'x'] },
      { key: 'c', operator: 'DoesNotExist' },
    ],
  });
  t.equal(selector.toString(), 'a in (x,y),b=1,!c');
  t.ok(selector.matches({ a: 'x', b: '1' }));
  t.equal(selectorOfLabels({ x: 'y', a: 'b' }).toString(), 'a=b,x=y');
  t.throws(() => selectorOf({ matchExpressions: [{ key: 'a', operator: 'Near' }] }), SelectorError);
  t.throws(() => selectorOf({ matchExpressions: [{ key: 'a', operator: 'In' }] }), {
    message: /values set can't be empty/,
  });
  t.throws(() => selectorOf({ matchExpressions: [{ key: 'a', operator: 'Exists', values: ['b'] }] }), {
    message: /must be empty/,
  });
});

const names = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/);
const requirements: fc.Arbitrary<Requirement> = fc
  .record({
    key: names,
    operator: fc.constantFrom<Operator>('=', '==', '!=', 'in', 'notin', 'exists', '!'),
    values: fc.uniqueArray(names, { minLength: 1, maxLength: 3 }),
  })
  .map(({ key, operator, values }) => ({
    key,
    operator,
    values:
      operator === 'exists' || operator === '!' ? [] : operator.endsWith('in') ? values : values.slice(0, 1),
  }));

t.test('the text of a selector parses back to one that matches the same', async () => {
  fc.assert(
    fc.property(fc.array(requirements, { maxLength: 4 }), fc.dictionary(names, names), (list, labels) => {
      const selector = Selector.of(list);
      const again = parseLabelSelector(selector.toString());
      return again.toString() === selector.toString() && again.matches(labels) === selector.matches(labels);
    }),
  );
  fc.assert(fc.property(fc.dictionary(names, names), (labels) => selectorOfLabels(labels).matches(labels)));
});

t.test('field selectors', async (t) => {
  t.same(parseFieldSelector('metadata.name=a,status.phase!=Running,x==y'), [
    { field: 'metadata.name', operator: '=', value: 'a' },
    { field: 'status.phase', operator: '!=', value: 'Running' },
    { field: 'x', operator: '=', value: 'y' },
  ]);
  t.same(parseFieldSelector(''), []);
  t.same(parseFieldSelector('a=b\\,c\\=d'), [{ field: 'a', operator: '=', value: 'b,c=d' }]);
  t.throws(() => parseFieldSelector('a'), { message: "invalid selector: 'a'; can't understand 'a'" });
  t.throws(() => parseFieldSelector('a=b=c'), {
    message: 'invalid field selector: unescaped character in value: 61',
  });
  t.throws(() => parseFieldSelector('a=b\\x'), {
    message: 'invalid field selector: invalid escape sequence: \\x',
  });
  const phase = (field: string) => (field === 'status.phase' ? 'Failed' : '');
  t.ok(matchesFields(parseFieldSelector('status.phase!=Running,spec.nodeName='), phase));
  t.notOk(matchesFields(parseFieldSelector('status.phase=Running'), phase));
});

t.test('names', async (t) => {
  t.same(dnsLabelErrors('a-1'), []);
  t.same(dnsLabelErrors('a.b'), ['must not contain dots']);
  t.match(
    dnsLabelErrors('A')[0],
    /^a lowercase RFC 1123 label must consist of .* \(e\.g\. 'my-name', {2}or '123-abc', regex used/,
  );
  t.same(dnsSubdomainErrors('a.b-c.d'), []);
  t.match(dnsSubdomainErrors('a'.repeat(254)), ['must be no more than 253 bytes']);
  t.match(dns1035LabelErrors('1a')[0], /DNS-1035/);
  t.same(labelKeyErrors('example.com/app'), []);
  t.same(labelKeyErrors('/app'), ['prefix part must be non-empty']);
  t.equal(labelKeyErrors('a/b/c').length, 1);
  t.same(portNameErrors('http'), []);
  t.same(portNameErrors('80'), ['must contain at least one letter (a-z)']);
});

t.test('percentages', async (t) => {
  t.equal(resolvePercent('25%', 10, 'up'), 3);
  t.equal(resolvePercent('25%', 10, 'down'), 2);
  t.equal(resolvePercent(4, 10, 'up'), 4);
  t.throws(() => resolvePercent('4', 10, 'up'), { message: /is not a percentage/ });
  t.throws(() => resolvePercent('x%', 10, 'up'), RangeError);
});
