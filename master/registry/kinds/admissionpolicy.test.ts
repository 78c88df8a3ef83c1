/** Policies and their bindings: defaults, and validation with the paths and words of kube-apiserver. */
import t from 'tap';
import type { MatchResources } from '../../../src/api/types.js';
import { createFakeClock } from '../../../src/testing/clock.js';
import { causesOf, contextOf, createTestRegistry } from '../testing.js';

const maps: MatchResources = {
  resourceRules: [
    { operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], scope: '*' },
  ],
};
const apps: MatchResources = {
  resourceRules: [
    {
      operations: ['CREATE', 'UPDATE'],
      apiGroups: ['apps'],
      apiVersions: ['v1'],
      resources: ['deployments'],
    },
  ],
};
const patch = (expression: string) => ({ patchType: 'JSONPatch', jsonPatch: { expression } });

t.test('policies and bindings are checked', async (t) => {
  const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock() });
  const policy = (spec: object) =>
    causesOf(
      registry.create(
        rowOf('validatingadmissionpolicies'),
        undefined,
        {
          metadata: { name: 'p' },
          spec: { matchConstraints: maps, validations: [{ expression: 'true' }], ...spec },
        },
        contextOf({ dryRun: true }),
      ),
    );
  const cases: [object, (string | RegExp)[]][] = [
    [{}, []],
    [
      { validations: [] },
      [
        'spec.validations: Required value: validations or auditAnnotations must be provided',
        'spec.auditAnnotations: Required value: validations or auditAnnotations must be provided',
      ],
    ],
    [{ matchConstraints: undefined }, ['spec.matchConstraints: Required value']],
    [{ matchConstraints: {} }, ['spec.matchConstraints.resourceRules: Required value']],
    [
      { failurePolicy: 'Maybe' },
      ['spec.failurePolicy: Unsupported value: "Maybe": supported values: "Fail", "Ignore"'],
    ],
    [{ validations: [{ expression: '' }] }, ['spec.validations[0].expression: Required value']],
    [
      { validations: [{ expression: 'object.x ==' }] },
      [
        /^spec.validations\[0\].expression: Invalid value: "object.x ==": compilation failed: ERROR: <input>:1:/,
      ],
    ],
    [{ validations: [{ expression: 'params.x' }] }, [/undeclared reference to 'params'/]],
    [{ validations: [{ expression: "'text'" }] }, [/must evaluate to bool/]],
    [
      { validations: [{ expression: 'true', reason: 'Because' }] },
      [/^spec.validations\[0\].reason: Unsupported value/],
    ],
    [
      { variables: [{ name: 'a b', expression: 'true' }] },
      ['spec.variables[0].name: Invalid value: "a b": name is not a valid CEL identifier'],
    ],
    [
      {
        variables: [
          { name: 'a', expression: 'variables.b' },
          { name: 'b', expression: 'variables.a' },
        ],
      },
      [
        /^spec.variables\[0\].expression: Invalid value: "variables.b": compilation failed: .*undeclared reference to 'variables'/s,
      ],
    ],
    [
      { variables: [{ name: 'a', expression: 'true' }], validations: [{ expression: 'variables.b' }] },
      [/undefined field 'b'/],
    ],
    [
      {
        matchConditions: [
          { name: 'a', expression: 'true' },
          { name: 'a', expression: 'true' },
        ],
      },
      ['spec.matchConditions[1].name: Duplicate value: "a"'],
    ],
  ];
  for (const [spec, expected] of cases) {
    const causes = await policy(spec);
    t.equal(causes.length, expected.length, causes.join('; '));
    for (const [index, wanted] of expected.entries()) t.match(causes[index], wanted);
  }
  const binding = (spec: object) =>
    causesOf(
      registry.create(
        rowOf('validatingadmissionpolicybindings'),
        undefined,
        { metadata: { name: 'b' }, spec: { policyName: 'p', validationActions: ['Deny'], ...spec } },
        contextOf({ dryRun: true }),
      ),
    );
  t.same(await binding({}), []);
  t.same(await binding({ policyName: '' }), ['spec.policyName: Required value']);
  t.match(await binding({ validationActions: ['Deny', 'Warn'] }), [/must not contain both Deny and Warn/]);
  t.same(await binding({ paramRef: { parameterNotFoundAction: 'Deny' } }), [
    'spec.paramRef: Required value: one of name or selector must be specified',
  ]);
  const { object } = await registry.create(
    rowOf('mutatingadmissionpolicies'),
    undefined,
    { metadata: { name: 'm' }, spec: { matchConstraints: apps, mutations: [patch('[]')] } },
    contextOf({ dryRun: true }),
  );
  t.match(object, {
    spec: {
      failurePolicy: 'Fail',
      reinvocationPolicy: 'Never',
      matchConstraints: { matchPolicy: 'Equivalent', namespaceSelector: {}, resourceRules: [{ scope: '*' }] },
    },
  });
});
