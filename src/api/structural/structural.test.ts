import fc from 'fast-check';
import t from 'tap';
import type { FieldError } from '../errors.js';
import { fieldErrorText } from '../errors.js';
import { checkType } from '../schema/check.js';
import type { JSONSchemaProps } from '../types.js';
import { structuralErrors } from './check.js';
import { oldValue } from './correlate.js';
import { applyDefaults } from './defaults.js';
import { stringFormat } from './formats.js';
import { parseJsonPath } from './jsonpath.js';
import { validateLists } from './lists.js';
import { customObjectType } from './objecttype.js';
import { prune, pruneNulls } from './prune.js';
import { compileSchema, type JsonObject } from './schema.js';
import { defaultErrors, keywordErrors } from './schemacheck.js';
import { validateSchema } from './validate.js';

const texts = (errors: readonly FieldError[]): string[] =>
  errors.map((e) => `${e.field}: ${fieldErrorText(e)}`);
const object = (
  properties: Record<string, JSONSchemaProps>,
  more: JSONSchemaProps = {},
): JSONSchemaProps => ({
  type: 'object',
  properties,
  ...more,
});
const spec = (schema: JSONSchemaProps): JSONSchemaProps => object({ spec: schema });
const keeps = { 'x-kubernetes-preserve-unknown-fields': true };

t.test('what is not structural is told, with path and words', async (t) => {
  const cases: [JSONSchemaProps, string[]][] = [
    [spec({ type: 'string' }), []],
    [{}, ['s.type: Required value: must not be empty at the root']],
    [spec({}), ['s.properties[spec].type: Required value: must not be empty for specified object fields']],
    [spec({ type: 'array' }), ['s.properties[spec].items: Required value: must be specified']],
    [spec({ anyOf: [{ type: 'integer' }, { type: 'string' }], 'x-kubernetes-int-or-string': true }), []],
    [
      spec({ type: 'string', anyOf: [{ type: 'string' }] }),
      ['s.properties[spec].anyOf[0].type: Forbidden: must be empty to be structural'],
    ],
    [
      spec(object({}, { anyOf: [{ properties: { a: { minimum: 1 } } }] })),
      [
        's.properties[spec].properties[a]: Required value: because it is defined in s.properties[spec].anyOf[0].properties[a]',
      ],
    ],
    [
      object({ metadata: object({ labels: { type: 'object' } }) }),
      [
        's.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified',
      ],
    ],
    [object({ metadata: object({ name: { type: 'string', maxLength: 5 } }) }), []],
    [
      spec({ type: 'string', pattern: '(' }),
      [
        's.properties[spec].pattern: Invalid value: "(": must be a valid regular expression, but isn\'t: error parsing regexp: missing closing ): `(`',
      ],
    ],
    [
      spec({ type: 'object', 'x-kubernetes-embedded-resource': true }),
      [
        's.properties[spec].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
      ],
    ],
  ];
  for (const [schema, wanted] of cases)
    t.same(texts(structuralErrors(schema, 's')), wanted, JSON.stringify(schema));
});

t.test('keywords that are not supported, and list types that do not fit', async (t) => {
  const list = (more: object): JSONSchemaProps => ({
    type: 'array',
    items: object({ name: { type: 'string' } }),
    ...more,
  });
  const cases: [JSONSchemaProps, string[]][] = [
    [
      { type: 'array', uniqueItems: true },
      [
        's.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ],
    ],
    [{ type: 'object', $ref: '#/x' }, ['s.$ref: Forbidden: $ref is not supported']],
    [
      { type: 'strng' },
      [
        's.type: Unsupported value: "strng": supported values: "array", "boolean", "integer", "number", "object", "string"',
      ],
    ],
    [
      list({ 'x-kubernetes-list-type': 'map' }),
      ['s.x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map'],
    ],
    [
      list({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
      [
        's.items.properties[name].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
      ],
    ],
    [
      list({ 'x-kubernetes-list-type': 'set' }),
      [
        's.items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set',
      ],
    ],
    [
      object({ a: { type: 'string' } }, { additionalProperties: { type: 'string' } }),
      ['s.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive'],
    ],
  ];
  for (const [schema, wanted] of cases)
    t.same(texts(keywordErrors(schema, 's')), wanted, JSON.stringify(schema));
  const defaulted = spec(object({ a: { type: 'integer', default: 'x' } }, { default: { b: 1 } }));
  t.same(texts(defaultErrors(compileSchema(defaulted), 's')), [
    's.properties[spec].default: Invalid value: {"b":1}: must not have unknown fields',
    's.properties[spec].properties[a].default: Invalid value: "string": s.properties[spec].properties[a].default in body must be of type integer: "string"',
  ]);
});

t.test('pruning keeps what is named, preserved or embedded', async (t) => {
  const schema = spec(
    object({
      known: object({ a: { type: 'string' } }),
      free: object({ inner: object({ a: { type: 'string' } }) }, keeps),
      map: { type: 'object', additionalProperties: object({ a: { type: 'string' } }) },
      list: { type: 'array', items: object({ a: { type: 'string' } }) },
      template: { type: 'object', 'x-kubernetes-embedded-resource': true, ...keeps },
    }),
  );
  const given: JsonObject = {
    ...{ apiVersion: 'a/v1', kind: 'A', metadata: { name: 'a' }, extra: 1 },
    spec: {
      known: { a: 'x', b: 1 },
      free: { anything: [{ b: 1 }], inner: { a: 'x', b: 1 } },
      map: { one: { a: 'x', b: 1 } },
      list: [{ a: 'x', b: 1 }],
      template: { kind: 'Pod', metadata: {}, spec: { containers: [] } },
      unknown: {},
    },
  };
  const removed = prune(given, compileSchema(schema));
  t.same(removed, [
    'extra',
    'spec.free.inner.b',
    'spec.known.b',
    'spec.list[0].b',
    'spec.map.one.b',
    'spec.unknown',
  ]);
  t.same(given['spec'], {
    known: { a: 'x' },
    free: { anything: [{ b: 1 }], inner: { a: 'x' } },
    map: { one: { a: 'x' } },
    list: [{ a: 'x' }],
    template: { kind: 'Pod', metadata: {}, spec: { containers: [] } },
  });
});

t.test('nulls and defaults', async (t) => {
  const node = compileSchema(
    spec(
      object({
        gone: { type: 'string' },
        kept: { type: 'string', nullable: true, default: 'd' },
        filled: { type: 'string', default: 'd' },
        deep: object({ a: { type: 'integer', default: 1 } }, { default: {} }),
        absent: object({ a: { type: 'integer', default: 1 } }),
        list: { type: 'array', items: object({ a: { type: 'integer', default: 1 } }) },
      }),
    ),
  );
  const given: JsonObject = { spec: { gone: null, kept: null, filled: null, list: [{}, { a: 2 }] } };
  pruneNulls(given, node);
  applyDefaults(given, node);
  t.same(given, { spec: { kept: null, filled: 'd', deep: { a: 1 }, list: [{ a: 1 }, { a: 2 }] } });
});

t.test('values are validated in the words of kube-apiserver', async (t) => {
  const cases: [JSONSchemaProps, unknown, string[]][] = [
    [
      { type: 'integer', maximum: 10 },
      11,
      ['spec: Invalid value: 11: spec in body should be less than or equal to 10'],
    ],
    [
      { type: 'integer', minimum: 1, exclusiveMinimum: true },
      1,
      ['spec: Invalid value: 1: spec in body should be greater than 1'],
    ],
    [{ type: 'number', multipleOf: 0.1 }, 0.3, []],
    [
      { type: 'integer', multipleOf: 5 },
      7,
      ['spec: Invalid value: 7: spec in body should be a multiple of 5'],
    ],
    [
      { type: 'string', minLength: 2 },
      'é',
      ['spec: Invalid value: "é": spec in body should be at least 2 chars long'],
    ],
    [{ type: 'string', maxLength: 1 }, 'ab', ['spec: Too long: may not be more than 1 bytes']],
    [
      { type: 'string', pattern: '^a+$' },
      'b',
      ['spec: Invalid value: "b": spec in body should match \'^a+$\''],
    ],
    [{ type: 'string', enum: ['a', 'b'] }, 'c', ['spec: Unsupported value: "c": supported values: "a", "b"']],
    [
      { type: 'string', format: 'ipv4' },
      '1.2.3',
      ['spec: Invalid value: "1.2.3": spec in body must be of type ipv4: "1.2.3"'],
    ],
    [{ type: 'string', format: 'unknown-format' }, 'x', []],
    [
      { type: 'object' },
      'x',
      ['spec: Invalid value: "string": spec in body must be of type object: "string"'],
    ],
    [
      { 'x-kubernetes-int-or-string': true },
      true,
      ['spec: Invalid value: "boolean": spec in body must be of type integer,string: "boolean"'],
    ],
    [{ type: 'string', nullable: true }, null, []],
    [object({}, { required: ['a'] }), {}, ['spec.a: Required value']],
    [
      { type: 'array', items: { type: 'string' }, maxItems: 1 },
      ['a', 'b'],
      ['spec: Too many: 2: must have at most 1 items'],
    ],
    [
      { type: 'array', items: { type: 'string' }, minItems: 1 },
      [],
      ['spec: Invalid value: 0: spec in body should have at least 1 items'],
    ],
    [
      { type: 'integer', anyOf: [{ minimum: 5 }, { maximum: 1 }] },
      3,
      [
        '<nil>: Invalid value: "": "spec" must validate at least one schema (anyOf)',
        'spec: Invalid value: 3: spec in body should be greater than or equal to 5',
      ],
    ],
    [
      { type: 'integer', oneOf: [{ minimum: 1 }, { minimum: 2 }] },
      3,
      [
        '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives',
      ],
    ],
    [
      { type: 'integer', not: { minimum: 1 } },
      3,
      ['<nil>: Invalid value: "": "spec" must not validate the schema (not)'],
    ],
  ];
  for (const [schema, value, wanted] of cases) {
    const errors = validateSchema(compileSchema(spec(schema)), { spec: value });
    t.same(texts(errors), wanted, JSON.stringify(schema));
  }
});

t.test('what did not change is tolerated', async (t) => {
  const node = compileSchema(
    object({
      a: { type: 'integer', maximum: 1 },
      list: {
        ...{ type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'] },
        items: object({ k: { type: 'string' }, v: { type: 'integer', maximum: 1 } }),
      },
    }),
  );
  const old = oldValue({
    a: 5,
    list: [
      { k: 'x', v: 9 },
      { k: 'y', v: 1 },
    ],
  });
  t.same(
    texts(
      validateSchema(
        node,
        {
          a: 5,
          list: [
            { k: 'y', v: 1 },
            { k: 'x', v: 9 },
          ],
        },
        '',
        old,
      ),
    ),
    [],
  );
  t.same(texts(validateSchema(node, { a: 6, list: [{ k: 'y', v: 9 }] }, '', old)), [
    'a: Invalid value: 6: a in body should be less than or equal to 1',
    'list[0].v: Invalid value: 9: list[0].v in body should be less than or equal to 1',
  ]);
});

t.test('sets and maps hold nothing twice', async (t) => {
  const set = { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' };
  const map = {
    ...{ type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['a', 'b'] },
    items: object({ a: { type: 'string' }, b: { type: 'string' } }),
  };
  const node = compileSchema(object({ set, map }));
  const value = {
    set: ['x', 'y', 'x', 'x'],
    map: [{ a: '1', b: '2', c: 1 }, { a: '1', b: '2' }, { a: '1' }],
  };
  t.same(texts(validateLists(node, value)), [
    'set[2]: Duplicate value: "x"',
    'map[1]: Duplicate value: {"a":"1","b":"2"}',
  ]);
});

t.test('formats', async (t) => {
  const cases: [string, string[], string[]][] = [
    ['ipv6', ['::1', '2001:db8::1', '::ffff:1.2.3.4'], ['1.2.3.4', '1::2::3', ':::']],
    ['cidr', ['10.0.0.0/8', '::/0'], ['10.0.0.0', '10.0.0.0/33']],
    ['date', ['2024-02-29'], ['2023-02-29', '2024-1-1']],
    [
      'date-time',
      ['2024-01-01T00:00:00Z', '2024-01-01T00:00:00.5+01:00'],
      ['2024-01-01', '2024-01-01T25:00:00Z'],
    ],
    ['duration', ['1h30m', '22 ns'], ['1', 'x']],
    ['uuid', ['123e4567-e89b-12d3-a456-426614174000'], ['x']],
    ['hostname', ['a.b', 'A-1'], ['-a', 'a_b']],
    ['byte', ['aGk=', ''], ['a']],
    ['uri', ['https://a.b/c', '/path'], ['a b', 'x']],
    ['email', ['a@b.c'], ['a']],
    ['mac', ['01:23:45:67:89:ab'], ['01:23']],
    ['isbn', ['978-0321751041', '0321751043'], ['1']],
    ['creditcard', ['4111 1111 1111 1111'], ['1']],
    ['hexcolor', ['#fff'], ['#ff']],
    ['rgbcolor', ['rgb(1,2,255)'], ['rgb(1,2,256)']],
  ];
  for (const [format, good, bad] of cases) {
    for (const text of good) t.ok(stringFormat(format)?.(text), `${format} ${text}`);
    for (const text of bad) t.notOk(stringFormat(format)?.(text), `${format} ${text}`);
  }
});

t.test('JSON paths find what kubectl would', async (t) => {
  const value = {
    spec: {
      'a.b': 1,
      list: [
        { n: 'x', v: 1 },
        { n: 'y', v: 2 },
      ],
    },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  };
  const cases: [string, unknown[]][] = [
    ['.spec.list[1].n', ['y']],
    ['.spec.list[-1].n', ['y']],
    ['.spec.list[*].n', ['x', 'y']],
    ["['spec']['a.b']", [1]],
    ['.spec.a\\.b', [1]],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    ['.status.conditions[?(@.type=="Gone")].status', []],
    ['.spec.list[?(@.v>1)].n', ['y']],
    ['..v', [1, 2]],
    ['.nope.deep', []],
  ];
  for (const [path, wanted] of cases) t.same(parseJsonPath(path)(value), wanted, path);
});

t.test('a custom kind decodes by its type', async (t) => {
  const type = customObjectType(
    { group: 'a.b', version: 'v1', kind: 'C' },
    compileSchema(spec(object({ a: { type: 'string' } }))),
  );
  const given = {
    apiVersion: 'a.b/v1',
    kind: 'C',
    metadata: { name: 'x', nope: 1, labels: { a: 'b' } },
    spec: { a: 'x', b: 1 },
  };
  t.same(checkType(type, given), { unknown: ['metadata.nope', 'spec.b'], errors: [] });
  t.same(given, {
    apiVersion: 'a.b/v1',
    kind: 'C',
    metadata: { name: 'x', labels: { a: 'b' } },
    spec: { a: 'x' },
  });
  t.match(checkType(type, { metadata: { labels: { a: 1 } } }).errors, [{ field: 'metadata.labels.a' }]);
  t.same([...type.fields.keys()].sort(), ['apiVersion', 'kind', 'metadata', 'spec']);
});

const json = fc.jsonValue({ maxDepth: 4, noUnicodeString: true });
const schemas = fc.letrec<{ node: JSONSchemaProps }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({
      type: fc.constantFrom('string', 'integer', 'boolean'),
      nullable: fc.boolean(),
      default: fc.option(json, { nil: undefined }),
    }),
    fc.record({ type: fc.constant('array'), items: tie('node') }),
    fc.record({ type: fc.constant('object'), additionalProperties: tie('node') }),
    fc.record({
      type: fc.constant('object'),
      properties: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('node')),
      'x-kubernetes-preserve-unknown-fields': fc.option(fc.constant(true), { nil: undefined }),
      default: fc.option(json, { nil: undefined }),
    }),
  ),
})).node;

t.test('pruning and defaulting are idempotent, whatever the schema and the object', async (t) => {
  const keyed = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), json);
  fc.assert(
    fc.property(schemas, keyed, (schema, spec) => {
      const node = compileSchema(object({ spec: schema }));
      const once: JsonObject = { spec: structuredClone(spec) };
      prune(once, node);
      const pruned = structuredClone(once);
      t.same(prune(once, node).length, 0);
      pruneNulls(once, node);
      applyDefaults(once, node);
      const filled = structuredClone(once);
      applyDefaults(once, node);
      return JSON.stringify(once) === JSON.stringify(filled) && JSON.stringify(pruned) !== undefined;
    }),
    { numRuns: 500 },
  );
});
