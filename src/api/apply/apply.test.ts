import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { builtinSchema } from '../schema/table.js';
import { apply, changesBetween } from './apply.js';
import { compare, isSame } from './compare.js';
import { fieldsOf, misfitsOf, misfitsText } from './configuration.js';
import { ApplyConflict } from './conflict.js';
import { createdText } from './created.js';
import {
  decodeFields,
  difference,
  elementText,
  encodeFields,
  type Fields,
  hasField,
  intersection,
  pathsOf,
  pathText,
  recursiveDifference,
  singleField,
  union,
} from './fields.js';
import { capped, decodeManaged, type Entry, managedText, readManaged } from './managed.js';
import { merge } from './merge.js';
import { shapeFields } from './reconcile.js';
import { StructShape as Struct, type StructShape, shapeOf } from './shape.js';
import { trackUpdate, type Versions } from './track.js';
import { tracked, typeNames } from './untracked.js';

function shapeOfKind(group: string, kind: string): StructShape {
  const type = builtinSchema.typeOf({ group, version: 'v1', kind });
  if (!type) throw new Error(kind);
  return shapeOf(type);
}

const configMap = shapeOfKind('', 'ConfigMap');
const pod = shapeOfKind('', 'Pod');
const service = shapeOfKind('', 'Service');
const time = '2026-01-01T00:00:00Z';
const skip: ReadonlySet<string> = new Set();

t.test('elements: texts and canonical forms', async (t) => {
  const cases: [string, string, string][] = [
    ['f:spec', 'f:spec', '.spec'],
    ['f:a.b/c', 'f:a.b/c', '.a.b/c'],
    ['k:{"protocol":"TCP","port":80}', 'k:{"port":80,"protocol":"TCP"}', '[port=80,protocol="TCP"]'],
    ['v:"x"', 'v:"x"', '[="x"]'],
    ['v: 1', 'v:1', '[=1]'],
    ['i:3', 'i:3', '[3]'],
    ['k:{"name":"<"}', 'k:{"name":"\\u003c"}', '[name="<"]'],
  ];
  for (const [given, canonical, text] of cases) {
    t.same(Object.keys(decodeFields({ [given]: {} })), [canonical]);
    t.equal(elementText(canonical), text);
  }
  t.same(decodeFields({ 'x:new': {}, 'f:a': { '.': {} } }), { 'f:a': {} }, 'unknown kinds are dropped');
  const refused = [
    1,
    [],
    null,
    { a: {} },
    { fa: {} },
    { 'k:[': {} },
    { 'v:': {} },
    { 'i:x': {} },
    { 'f:a': 1 },
  ];
  for (const value of refused)
    t.throws(() => decodeFields(value), { name: 'FieldsError' }, JSON.stringify(value));
  const order = {
    'v:2': {},
    'k:{"a":10}': {},
    'f:b': { 'f:x': {}, '.': {} },
    'k:{"a":9}': {},
    'f:a': {},
    'v:"1"': {},
  };
  t.equal(
    encodeFields(order),
    '{"f:a":{},"f:b":{".":{},"f:x":{}},"k:{\\"a\\":9}":{},"k:{\\"a\\":10}":{},"v:2":{},"v:\\"1\\"":{}}',
  );
});

const element = fc.oneof(
  fc.constantFrom('f:a', 'f:b', 'f:c'),
  fc.constantFrom('k:{"n":1}', 'k:{"n":2}', 'v:"x"', 'v:1'),
);
const paths = fc.array(fc.array(element, { minLength: 1, maxLength: 4 }), { maxLength: 8 });
const setOf = (list: readonly string[][]): Fields => list.map(singleField).reduce(union, {});
const texts = (fields: Fields): Set<string> => new Set(pathsOf(fields).map((path) => JSON.stringify(path)));

t.test('field sets are sets of paths', async () => {
  fc.assert(
    fc.property(paths, paths, (first, second) => {
      const [a, b] = [setOf(first), setOf(second)];
      const [inA, inB] = [texts(a), texts(b)];
      assert.deepEqual(inA, new Set(first.map((path) => JSON.stringify(path))));
      assert.deepEqual(texts(union(a, b)), new Set([...inA, ...inB]));
      assert.deepEqual(texts(intersection(a, b)), new Set([...inA].filter((path) => inB.has(path))));
      assert.deepEqual(texts(difference(a, b)), new Set([...inA].filter((path) => !inB.has(path))));
      const isBelow = (path: string[]): boolean =>
        path.some((_, i) => inB.has(JSON.stringify(path.slice(0, i + 1))));
      const left = pathsOf(a).filter((path) => !isBelow(path));
      assert.deepEqual(texts(recursiveDifference(a, b)), new Set(left.map((path) => JSON.stringify(path))));
      assert.ok(first.every((path) => hasField(a, path)));
      assert.deepEqual(decodeFields(JSON.parse(encodeFields(a))), JSON.parse(encodeFields(a)));
    }),
    { numRuns: 300 },
  );
});

const name = fc.constantFrom('a', 'b', 'c', 'constructor', '__proto__x');
const words = fc.dictionary(name, fc.constantFrom('1', '2', '<3>'), { maxKeys: 4 });
const someWords = words.filter((map) => Object.keys(map).length > 0);
const port = fc.record(
  {
    port: fc.constantFrom(80, 443, 9),
    protocol: fc.constantFrom('TCP', 'UDP'),
    targetPort: fc.constantFrom(1, 'x'),
  },
  { requiredKeys: ['port'] },
);
const keyOfPort = ({ port, protocol = 'TCP' }: { port: number; protocol?: string }): string =>
  `${port}${protocol}`;
const servicesWith = (words: fc.Arbitrary<Record<string, string>>) =>
  fc.record({
    apiVersion: fc.constant('v1'),
    kind: fc.constant('Service'),
    metadata: fc.record(
      {
        ...{ name: fc.constant('a'), labels: words, uid: fc.constant('u') },
        finalizers: fc.uniqueArray(fc.constantFrom('x/1', 'x/2', 'x/3')),
      },
      { requiredKeys: ['name'] },
    ),
    spec: fc.record(
      {
        ports: fc.uniqueArray(port, { selector: keyOfPort, maxLength: 4 }),
        selector: words,
        externalIPs: fc.array(fc.constantFrom('1', '2')),
      },
      { requiredKeys: [] },
    ),
  });

const services = servicesWith(words);

t.test('the text for a new object is the comparison with nothing', async () => {
  fc.assert(
    fc.property(services, (object) => {
      const whole = encodeFields(tracked(compare(service, {}, object).written));
      assert.equal(createdText(service, object, typeNames), whole);
    }),
  );
});

t.test('what does not change is nobody’s change', async () => {
  fc.assert(
    fc.property(services, services, (old, next) => {
      assert.deepEqual(compare(service, old, structuredClone(old)), { written: {}, removed: {} });
      const { written, removed } = compare(service, old, next);
      const back = compare(service, next, old);
      assert.deepEqual(texts(intersection(written, removed)), new Set());
      assert.deepEqual(
        texts(removed),
        texts(intersection(back.written, removed)),
        'what goes one way comes the other',
      );
    }),
  );
});

t.test('a merge of what fits, fits, and has all of the configuration', async () => {
  fc.assert(
    fc.property(services, servicesWith(someWords), (live, config) => {
      fc.pre(Object.keys(config.spec).length > 0);
      const merged = merge(service, live, config);
      assert.deepEqual(misfitsOf(service, merged), []);
      assert.deepEqual(texts(difference(fieldsOf(service, config), fieldsOf(service, merged))), new Set());
      assert.ok(isSame(merge(service, merged, config), merged), 'twice is once');
    }),
  );
});

t.test('order: of the configuration for what both have, in its place for the rest', async (t) => {
  const spec = (...keys: string[]): object => ({
    spec: { containers: keys.map((key) => ({ name: key })) },
  });
  const cases: [string[], string[], string[]][] = [
    [
      ['a', 'b', 'c'],
      ['c', 'a'],
      ['b', 'c', 'a'],
    ],
    [
      ['a', 'b'],
      ['x', 'b'],
      ['a', 'x', 'b'],
    ],
    [
      ['a', 'b', 'c'],
      ['b', 'd'],
      ['a', 'b', 'c', 'd'],
    ],
    [[], ['b', 'a'], ['b', 'a']],
    [['a'], [], ['a']],
  ];
  for (const [live, config, wanted] of cases)
    t.same(merge(pod, spec(...live), spec(...config)), spec(...wanted), `${live} and ${config}`);
});

const versions: Versions = {
  shape: (version) => (version === 'v1' ? configMap : undefined),
  convert: (object) => object,
};

/** A ConfigMap with its owners. */
class World {
  live: object = { apiVersion: 'v1', kind: 'ConfigMap' };
  entries: readonly Entry[] = [];

  get data(): Record<string, string> {
    return (this.live as { data?: Record<string, string> }).data ?? {};
  }

  async apply(manager: string, data: object, force = false): Promise<boolean> {
    try {
      const owner = { manager, operation: 'Apply', apiVersion: 'v1', subresource: undefined } as const;
      const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data };
      const { live, entries } = this;
      const result = await apply({ live, entries, config, owner, force, time, versions, skip });
      this.live = result.object ?? live;
      this.entries = readManaged(managedText(result.entries));
      return true;
    } catch (error) {
      if (error instanceof ApplyConflict) return false;
      throw error;
    }
  }

  async update(manager: string, data: object): Promise<void> {
    const next = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data };
    const owner = { manager, operation: 'Update', apiVersion: 'v1', subresource: undefined } as const;
    const entries = [...this.entries, { ...owner, time, fields: {} }];
    const changesIn = await changesBetween(this.live, next, { entries, versions, skip });
    this.entries = trackUpdate(this.entries, { owner, time, versions, changesIn });
    this.live = next;
  }

  owners(key: string): string[] {
    return this.entries
      .filter(({ fields }) => hasField(fields, ['f:data', `f:${key}`]))
      .map(({ manager, operation }) => `${manager}/${operation}`)
      .sort();
  }
}

/** What it should be: each key has a value and owners. */
type Model = Map<string, { value: string; owners: Set<string> }>;

function modelApply(model: Model, manager: string, data: Record<string, string>, force: boolean): boolean {
  const self = `${manager}/Apply`;
  const disputed = Object.keys(data).filter((key) => {
    const held = model.get(key);
    return held && held.value !== data[key] && [...held.owners].some((owner) => owner !== self);
  });
  if (disputed.length > 0 && !force) return false;
  for (const [key, held] of [...model]) {
    if (!held.owners.has(self) || Object.hasOwn(data, key)) continue;
    held.owners.delete(self);
    if (held.owners.size === 0) model.delete(key);
  }
  for (const [key, value] of Object.entries(data)) {
    const held = model.get(key);
    if (held?.value === value) held.owners.add(self);
    else model.set(key, { value, owners: new Set([self]) });
  }
  return true;
}

function modelUpdate(model: Model, manager: string, data: Record<string, string>): void {
  for (const key of [...model.keys()]) if (!Object.hasOwn(data, key)) model.delete(key);
  for (const [key, value] of Object.entries(data))
    if (model.get(key)?.value !== value) model.set(key, { value, owners: new Set([`${manager}/Update`]) });
}

const step = fc.record({
  verb: fc.constantFrom('apply', 'apply', 'update'),
  manager: fc.constantFrom('x', 'y', 'z'),
  data: words,
  force: fc.boolean(),
});

t.test('applies and updates of a map, against a model', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
      const world = new World();
      const model: Model = new Map();
      // Somebody was there before, so that every later update is tracked.
      await world.apply('first', { first: '1' });
      modelApply(model, 'first', { first: '1' }, false);
      for (const { verb, manager, data, force } of steps) {
        const given = { ...data, first: '1' };
        if (verb === 'update') {
          await world.update(manager, given);
          modelUpdate(model, manager, given);
        } else {
          assert.equal(await world.apply(manager, data, force), modelApply(model, manager, data, force));
        }
        assert.ok(isSame(world.data, Object.fromEntries([...model].map(([key, { value }]) => [key, value]))));
        for (const [key, { owners }] of model) assert.deepEqual(world.owners(key), [...owners].sort(), key);
      }
    }),
    { numRuns: 200 },
  );
});

t.test('apply is idempotent, and an empty one takes away exactly what was its own', async () => {
  await fc.assert(
    fc.asyncProperty(words, words, async (others, mine) => {
      const world = new World();
      await world.apply('other', others);
      await world.apply('me', mine, true);
      const { live, entries } = world;
      await world.apply('me', mine);
      assert.equal(world.live, live);
      assert.deepEqual(managedText(world.entries), managedText(entries));
      await world.apply('me', {});
      const left = Object.entries(others).filter(
        ([key, value]) => (Object.hasOwn(mine, key) ? mine[key] : value) === value,
      );
      assert.ok(isSame(world.data, Object.fromEntries(left)));
    }),
  );
});

t.test('what a configuration may not be', async (t) => {
  const container = (value: object): object => ({ spec: { containers: [{ name: 'a', ...value }] } });
  const at = '.spec.containers[name="a"]';
  const cases: [object, string][] = [
    [{ spec: { foo: 1 } }, '.spec.foo: field not declared in schema'],
    [container({ image: 1 }), `${at}.image: expected string, got &value.valueUnstructured{Value:1}`],
    [container({ stdin: 'x' }), `${at}.stdin: expected boolean, got &{"x"}`],
    [container({ command: 'x' }), `${at}.command: expected list, got "x"`],
    [container({ resources: [] }), `${at}.resources: expected map, got []`],
    [{ spec: { priority: '1' } }, '.spec.priority: expected numeric (int or float), got string'],
    [
      { spec: { containers: [{ name: 'a' }, { name: 'a' }] } },
      '.spec.containers: duplicate entries for key [name="a"]',
    ],
    [
      { spec: { containers: [null] } },
      '.spec.containers: element 0: associative list with keys may not have a null element',
    ],
    [
      { a: 1, spec: { b: 1 } },
      'errors:\n  .a: field not declared in schema\n  .spec.b: field not declared in schema',
    ],
  ];
  for (const [value, wanted] of cases) t.equal(misfitsText(misfitsOf(pod, value)), wanted);
  t.same(misfitsOf(pod, { spec: { priority: null, containers: null } }), [], 'null says nothing');
});

t.test('managedFields that are sent', async (t) => {
  const entry = { manager: 'a', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} };
  const cases: [object, string][] = [
    [{ ...entry, operation: 'x' }, 'operation must be `Apply` or `Update`'],
    [{ ...entry, apiVersion: '' }, 'apiVersion must not be empty'],
    [{ ...entry, fieldsType: undefined }, 'missing fieldsType in managed fields entry 0'],
    [{ ...entry, fieldsType: 'V2' }, 'invalid fieldsType "V2" in managed fields entry 0'],
  ];
  for (const [given, message] of cases) t.throws(() => decodeManaged([given]), { message });
  t.equal(decodeManaged([entry, { ...entry, fieldsV1: { 'f:a': {} } }]).length, 1, 'one of each owner');
  const text = managedText([
    ...decodeManaged([
      { ...entry, manager: 'z', time },
      { ...entry, manager: 'b', operation: 'Apply', time, subresource: 'status' },
      entry,
    ]),
  ]);
  t.same(
    readManaged(text).map(({ manager, time: at }) => [manager, at]),
    [
      ['b', time],
      ['a', undefined],
      ['z', time],
    ],
    'applies first, then by time and name',
  );
});

t.test('more than ten updating owners', async (t) => {
  const entries = Array.from(
    { length: 13 },
    (_, i): Entry => ({
      ...{ manager: `m${i}`, operation: 'Update', apiVersion: i % 2 ? 'v1' : 'v2', subresource: undefined },
      time: `2026-01-01T00:00:${String(i).padStart(2, '0')}Z`,
      fields: { [`f:${i}`]: {} },
    }),
  );
  const left = capped(entries);
  t.equal(left.length, 10);
  t.same(
    left
      .filter(({ manager }) => manager === 'ancient-changes')
      .map(({ apiVersion, fields }) => [apiVersion, fields]),
    [
      ['v2', { 'f:2': {}, 'f:0': {}, 'f:4': {} }],
      ['v1', { 'f:3': {}, 'f:1': {} }],
    ],
  );
});

t.test('a part of a custom kind that became one value', async (t) => {
  const shape = new Struct(
    { preservesUnknown: false, isCustom: true },
    () =>
      new Map([
        [
          'a',
          {
            ...{ element: 'f:a', text: '"f:a":', always: false },
            shape: { kind: 'atomic', inside: { kind: 'map', item: { kind: 'anything' } } } as const,
          },
        ],
      ]),
  );
  const entry: Entry = {
    ...{ manager: 'm', operation: 'Apply', apiVersion: 'v1', time, subresource: undefined },
    fields: { 'f:a': { 'f:x': {} }, 'f:b': { 'f:y': {} } },
  };
  const [reshaped] = shapeFields([entry], { shape: () => shape });
  t.same(reshaped?.fields, { 'f:a': {}, 'f:b': { 'f:y': {} } });
  t.equal(pathText(['f:a', 'f:x']), '.a.x');
});
