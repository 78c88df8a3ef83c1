import t from 'tap';
import { type FieldError, fieldErrorText } from '../errors.js';
import type { JSONSchemaProps, KubeObject } from '../types.js';
import { ruleErrors } from './rulecheck.js';
import { compileRules, validateRules } from './rules.js';
import { compileSchema } from './schema.js';

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

t.test('rules: what they see, what they say, when they run', async (t) => {
  const rule = (text: string, more: object = {}) => ({
    'x-kubernetes-validations': [{ rule: text, ...more }],
  });
  const run = (schema: JSONSchemaProps, value: unknown, old?: unknown): string[] => {
    t.same(texts(ruleErrors(schema, 's')), [], JSON.stringify(schema));
    const set = compileRules(compileSchema(schema));
    return texts(validateRules(set, value as KubeObject, old as KubeObject | undefined));
  };
  const bounds = spec(
    object(
      { min: { type: 'integer' }, max: { type: 'integer' }, 'x-y': { type: 'string', format: 'date-time' } },
      rule('self.min <= self.max', { messageExpression: '"min " + string(self.min) + " is above max"' }),
    ),
  );
  t.same(run(bounds, { spec: { min: 1, max: 2 } }), []);
  t.same(run(bounds, { spec: { min: 3, max: 2 } }), ['spec: Invalid value: min 3 is above max']);
  t.same(run(bounds, { spec: { min: 3 } }), [
    'spec: Invalid value: "object": no such key: max evaluating rule: self.min <= self.max',
  ]);
  t.same(run(bounds, { spec: { min: 3, max: 2 } }, { spec: { min: 3, max: 2 } }), [], 'unchanged');

  const frozen = spec(
    object({
      a: {
        type: 'string',
        ...rule('self == oldSelf', { message: 'is immutable', reason: 'FieldValueForbidden' }),
      },
    }),
  );
  t.same(run(frozen, { spec: { a: 'x' } }), [], 'no old value on create');
  t.same(run(frozen, { spec: { a: 'x' } }, { spec: { a: 'y' } }), ['spec.a: Forbidden: is immutable']);
  const once = spec(
    object({
      a: {
        type: 'string',
        ...rule('!oldSelf.hasValue() || oldSelf.value() == self', { optionalOldSelf: true }),
      },
    }),
  );
  t.same(run(once, { spec: { a: 'x' } }), []);
  t.same(run(once, { spec: { a: 'x' } }, { spec: { a: 'y' } }), [
    'spec.a: Invalid value: "x": failed rule: !oldSelf.hasValue() || oldSelf.value() == self',
  ]);

  const listed = spec({
    ...{ type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'] },
    items: object(
      { k: { type: 'string' }, v: { type: 'integer' } },
      { required: ['k'], ...rule('self.v >= oldSelf.v', { fieldPath: '.v' }) },
    ),
  });
  t.same(
    run(
      listed,
      {
        spec: [
          { k: 'b', v: 1 },
          { k: 'a', v: 0 },
        ],
      },
      { spec: [{ k: 'a', v: 2 }] },
    ),
    ['spec[1].v: Invalid value: failed rule: self.v >= oldSelf.v'],
  );
  const named = object({}, rule("self.metadata.name.startsWith('a')", { message: 'begins with a' }));
  t.same(run(named, { metadata: { name: 'b' } }), ['<nil>: Invalid value: begins with a']);
  const keyed = spec({
    type: 'object',
    additionalProperties: { type: 'integer' },
    ...rule('self.all(k, k.size() < 3 && self[k] > 0)'),
  });
  t.same(run(keyed, { spec: { ab: 1 } }), []);
  t.same(run(keyed, { spec: { abc: 1 } }).length, 1);

  const bad: [JSONSchemaProps, RegExp][] = [
    [
      spec({ type: 'string', ...rule('self.nope == 1') }),
      /compilation failed: ERROR: <input>:1:\d: type 'string' does not support field selection/,
    ],
    [spec(object({}, rule('self.nope == 1'))), /undefined field 'nope'/],
    [spec({ type: 'integer', ...rule('self + 1') }), /cel expression must evaluate to a bool/],
    [spec({ type: 'integer', ...rule('') }), /rule: Required value: rule is not specified/],
    [
      spec({ type: 'array', items: { type: 'string', ...rule('self == oldSelf') } }),
      /oldSelf cannot be used on the uncorrelatable portion of the schema within s\.properties\[spec\]/,
    ],
    [spec({ type: 'integer', ...rule('true', { reason: 'Nope' }) }), /Unsupported value: "Nope"/],
    [spec({ type: 'integer', ...rule('true', { fieldPath: '.a' }) }), /must be a valid path/],
  ];
  for (const [schema, wanted] of bad)
    t.match(texts(ruleErrors(schema, 's')).join(), wanted, JSON.stringify(schema));
});
