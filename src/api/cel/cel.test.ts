import t from 'tap';
import { cpuMsOf } from '../../testing/cpu.js';
import { CelAuthorizer, compile } from './program.js';
import { compileRegexp } from './regexp.js';

const self = {
  spec: {
    ...{ replicas: 3, name: 'abc', list: [1, 2, 3], map: { a: 'x', b: 'y' }, ratio: 1.5 },
    items: [{ n: 'a' }, { n: 'b' }],
  },
};
const evaluate = (expression: string): unknown =>
  compile(expression, { variables: { self: 'dyn' } }).evaluate({ self });

const results: [string, unknown][] = [
  ['self.spec.replicas * 2', 6],
  ['has(self.spec.nope)', false],
  ["self.spec.name.matches('^[a-c]+$')", true],
  ["'abc123'.find('[0-9]+')", '123'],
  ["'a1b2'.findAll('[0-9]')", ['1', '2']],
  ["'a,b,c'.split(',', 2)", ['a', 'b,c']],
  ["['a','b'].join('-')", 'a-b'],
  ["'hello'.replace('l','L',1)", 'heLlo'],
  ["' x '.trim() + 'ABC'.lowerAscii() + 'é'.upperAscii()", 'xabcé'],
  ["'hello'.substring(1,3) + 'hello'.charAt(0)", 'elh'],
  ["'héllo'.indexOf('l') + 'hello'.lastIndexOf('l')", 5],
  ["'abc'.reverse()", 'cba'],
  ["'%s %d %.2f %x %b'.format(['a', 3, 1.5, 255, 5])", 'a 3 1.50 ff 101'],
  ['[1,2,3].isSorted() && ![2,1].isSorted()', true],
  ['[1,2,3].sum() + [3,1,2].min() + [3,1,2].max() + [1,2,1].lastIndexOf(1)', 12],
  ['self.spec.list.all(x, x > 0) && self.spec.list.exists_one(x, x == 2)', true],
  ['self.spec.list.all(i, v, i < v) && self.spec.map.exists(k, v, k + v == "by")', true],
  ['self.spec.list.transformList(i, v, i + v)', [1, 3, 5]],
  ['self.spec.map.transformMap(k, v, v + k)', { a: 'xa', b: 'yb' }],
  ['self.spec.items.map(x, x.n)', ['a', 'b']],
  ['sets.contains([1,2],[1]) && sets.equivalent([1,2],[2,1,1]) && !sets.intersects([1],[2])', true],
  ["isURL('https://a.b/c') && !isURL('a b')", true],
  ["url('https://a.b:8080/c?x=1').getHostname() + url('https://a.b:8080/c').getPort()", 'a.b8080'],
  ["ip('127.0.0.1').isLoopback() && ip('fe80::1').isLinkLocalUnicast()", true],
  ["ip.isCanonical('2001:db8::abcd') && !ip.isCanonical('0:0::1')", true],
  ["cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsCIDR('0.0.0.0/0')", true],
  ["quantity('1Gi').isGreaterThan(quantity('500Mi')) && !isQuantity('x')", true],
  ["quantity('1').add(quantity('500m')).compareTo(quantity('1500m'))", 0],
  ["semver('1.2.3').isLessThan(semver('1.10.0')) && isSemver('v1.0', true)", true],
  ["format.dns1123Label().validate('A_b').hasValue()", true],
  ['self.?spec.?nope.orValue("d") + self.spec.?name.orValue("d")', 'dabc'],
  ['optional.of(1).optMap(x, x + 1).value()', 2],
  ["self.spec.map[?'zz'].hasValue()", false],
  ["duration('1h') > duration('30m')", true],
  ["timestamp('2024-01-01T00:00:00Z') < timestamp('2025-01-01T00:00:00Z')", true],
  ['self.spec.ratio > 1.0 && dyn(1) == dyn(1.0)', true],
  ['cel.bind(x, 5, x * x)', 25],
  ['self.spec.items.sortBy(i, i.n == "a" ? 2 : 1).map(i, i.n)', ['b', 'a']],
  ['lists.range(3).last().value() + [5, 6].first().orValue(0)', 7],
  ["['b', 'a', 'b'].distinct().sort().join() + string([[1], [2]].flatten().slice(1, 2)[0])", 'ab2'],
  ["self.spec.items == [{'n':'a'},{'n':'b'}]", true],
];

t.test('expressions and their results', async (t) => {
  for (const [expression, wanted] of results) t.same(evaluate(expression), wanted, expression);
});

t.test('what goes wrong at run time, in the words of CEL', async (t) => {
  const failures: [string, string][] = [
    ['self.spec.nope == 1', 'no such key: nope'],
    ['self.spec.list[5] == 1', 'index out of bounds: 5'],
    ['1 / (self.spec.replicas - 3)', 'division by zero'],
    ['self.spec.name + self.spec.replicas', 'no such overload'],
  ];
  for (const [expression, message] of failures) t.throws(() => evaluate(expression), { message }, expression);
  t.equal(evaluate('self.spec.nope == 1 || true'), true, 'an error that does not decide is none');
});

t.test('what does not compile, with the place', async (t) => {
  const problems: [string, string][] = [
    ['foo == 1', "ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo == 1\n | ^"],
    [
      '1 + "a"',
      "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'\n | 1 + \"a\"\n | ..^",
    ],
  ];
  for (const [expression, message] of problems) t.throws(() => evaluate(expression), { message }, expression);
  for (const expression of ['self.a +', "'a'.nope()", 'size(1)', 'self.all(x, y)', 'x'.repeat(30_000)])
    t.throws(() => evaluate(expression), { name: 'CelCompileError' }, expression.slice(0, 20));
});

const tooLong = { name: 'CelBudgetExceeded' };

t.test('an expression cannot take long', async (t) => {
  const numbers = Array.from({ length: 500 }, (_, i) => i);
  const cubic = compile('self.all(a, self.all(b, self.all(c, a + b + c > -1)))', {
    variables: { self: 'dyn' },
  });
  t.throws(() => cubic.evaluate({ self: numbers }), tooLong);
  const hidden = compile('self.all(a, self.all(b, self.all(c, a + b + c > -1))) || true', {
    variables: { self: 'dyn' },
  });
  t.throws(() => hidden.evaluate({ self: numbers }), tooLong, 'not even behind an or');
  const binds = Array.from({ length: 40 }, (_, i) => `cel.bind(a${i + 1}, a${i} + a${i}, `).join('');
  const doubling = compile(`cel.bind(a0, 'xxxxxxxxxx', ${binds}1${')'.repeat(41)}`, { variables: {} });
  t.throws(() => doubling.evaluate({}), tooLong, 'nor grow without bound');
  const budget = { steps: 1_000 };
  compile('self.all(a, a >= 0)', { variables: { self: 'dyn' } }).evaluate({ self: numbers }, budget);
  t.ok(budget.steps <= 500, 'evaluations share a budget');
});

t.test('the authorizer is asked', async (t) => {
  const authorizer = new CelAuthorizer(({ verb, resource }) => ({
    allowed: verb === 'get',
    reason: resource,
  }));
  const type = 'kubernetes.authorization.Authorizer';
  const ask = (text: string): unknown =>
    compile(text, { variables: { authorizer: type } }).evaluate({ authorizer });
  const check = "authorizer.group('apps').resource('deployments').namespace('a').check";
  t.equal(await ask(`${check}('get').allowed()`), true);
  t.equal(await ask(`${check}('put').allowed() || authorizer.path('/x').check('get').allowed()`), true);
  t.equal(await ask(`${check}('put').reason()`), 'deployments');
});

t.test('regular expressions are those of RE2, and never slow', async (t) => {
  const cases: [string, string, [number, number] | undefined][] = [
    ['^[a-z0-9]([-a-z0-9]*[a-z0-9])?$', 'abc-d', [0, 5]],
    ['a{2,3}', 'xaaaay', [1, 4]],
    ['a{2,3}?', 'xaaaay', [1, 3]],
    ['(?i)HELLO', 'say hello', [4, 9]],
    ['(foo|foobar)', 'a foobar', [2, 5]],
    ['\\pL+', '1éa2', [1, 3]],
    ['[^a-c]+', 'abcdef', [3, 6]],
    ['[[:digit:]]+\\z', 'a12', [1, 3]],
    ['\\bword\\b', 'a word.', [2, 6]],
    ['(a+)+b', 'aaac', undefined],
    ['(a*)*', 'b', [0, 0]],
  ];
  for (const [pattern, text, wanted] of cases) {
    t.same(compileRegexp(pattern).find(text, 0), wanted, pattern);
    t.equal(compileRegexp(pattern).test(text), wanted !== undefined);
  }
  const costMs = await cpuMsOf(() => t.notOk(compileRegexp('(a+)+b').test('a'.repeat(20_000))));
  t.ok(costMs < 2_000);
  for (const pattern of ['(a', 'a)', '*a', '[z-a]', 'a{2,1}', '\\q', '(?=a)', 'a**', '[a'])
    t.throws(() => compileRegexp(pattern), { name: 'RegexpError' }, pattern);
});
