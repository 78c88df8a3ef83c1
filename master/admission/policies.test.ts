/** Admission policies through the registry: what they see, deny, warn of, audit and change, and how they are configured. */
import t from 'tap';
import { ApiError } from '../../src/api/errors.js';
import {
  configMaps,
  deployments,
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  namespaces,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from '../../src/api/kinds.js';
import type {
  Deployment,
  KubeObject,
  MatchResources,
  MutatingAdmissionPolicySpec,
  ValidatingAdmissionPolicyBindingSpec,
  ValidatingAdmissionPolicySpec,
} from '../../src/api/types.js';
import { createInformers } from '../../src/client/informers.js';
import { systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { causesOf, contextOf, type Warned } from '../registry/testing.js';
import { rewriteExpression } from './rewrite.js';
import { createTestAdmission, type TestAdmission } from './testing.js';
import { createTypeCheckController } from './typecheck.js';

const maps: MatchResources = {
  resourceRules: [
    { operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], scope: '*' },
  ],
};

type Spec = Partial<ValidatingAdmissionPolicySpec>;
type BindingSpec = Partial<ValidatingAdmissionPolicyBindingSpec>;

async function validating(admission: TestAdmission, spec: Spec, binding: BindingSpec = {}): Promise<void> {
  const metadata = { name: 'policy' };
  await admission.client.create(validatingAdmissionPolicies, {
    metadata,
    spec: { matchConstraints: maps, ...spec },
  });
  await admission.client.create(validatingAdmissionPolicyBindings, {
    metadata: { name: 'binding' },
    spec: { policyName: 'policy', validationActions: ['Deny'], ...binding },
  });
  await admission.settle(() => admission.concerns('configmaps', 'CREATE'));
}

async function without(admission: TestAdmission): Promise<void> {
  await admission.client.delete(validatingAdmissionPolicies, { name: 'policy' });
  await admission.client.delete(validatingAdmissionPolicyBindings, { name: 'binding' });
  await admission.settle(() => !admission.concerns('configmaps', 'CREATE'));
}

const map = (name: string, data: Record<string, string> = {}, more: object = {}): KubeObject =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...more }, data }) as KubeObject;

/** What a write says: the error's message, or nothing. */
async function saysOf(write: Promise<unknown>): Promise<string | undefined> {
  try {
    await write;
    return undefined;
  } catch (error) {
    if (error instanceof ApiError) return error.message;
    throw error;
  }
}

const write = (admission: TestAdmission, object: KubeObject, context: Warned = contextOf()) =>
  admission.registry.create(admission.rowOf('configmaps'), 'default', object, context);

let made = 0;
const fresh = (data: Record<string, string> = {}, more: object = {}): KubeObject => {
  made += 1;
  return map(`m${made}`, data, more);
};

const denied = (name: string, why: string): string =>
  `configmaps "${name}" is forbidden: ValidatingAdmissionPolicy 'policy' with binding 'binding' denied request: ${why}`;

t.test('validations deny with their words and reasons', async (t) => {
  const admission = await createTestAdmission();
  t.teardown(() => admission.close());
  const expression = "object.data.k == 'ok'";
  const cases: [Spec, string, string, number][] = [
    [{ validations: [{ expression }] }, `failed expression: ${expression}`, 'Invalid', 422],
    [{ validations: [{ expression, message: ' no good ' }] }, 'no good', 'Invalid', 422],
    [{ validations: [{ expression, reason: 'Forbidden', message: 'm' }] }, 'm', 'Forbidden', 403],
    [
      { validations: [{ expression, message: 'm', messageExpression: "'is ' + object.data.k" }] },
      'is bad',
      'Invalid',
      422,
    ],
    [
      { validations: [{ expression, message: 'm', messageExpression: "'x' + object.data.none" }] },
      'm',
      'Invalid',
      422,
    ],
    [
      {
        variables: [
          { name: 'k', expression: 'object.data.k' },
          { name: 'long', expression: "variables.k + variables.k == 'badbad'" },
        ],
        validations: [{ expression: '!variables.long', message: 'twice bad' }],
      },
      'twice bad',
      'Invalid',
      422,
    ],
    [
      { validations: [{ expression: "object.data.none == 'x'" }] },
      "expression 'object.data.none == 'x'' resulted in error: no such key: none",
      'Invalid',
      422,
    ],
    [
      { validations: [{ expression: "request.operation == 'UPDATE'", message: 'is CREATE' }] },
      'is CREATE',
      'Invalid',
      422,
    ],
    [
      { validations: [{ expression: "namespaceObject.metadata.name != 'default'", message: 'there' }] },
      'there',
      'Invalid',
      422,
    ],
    [{ validations: [{ expression: 'oldObject != null', message: 'new' }] }, 'new', 'Invalid', 422],
  ];
  for (const [spec, why, reason, code] of cases) {
    await validating(admission, spec);
    const object = fresh({ k: 'bad' });
    const name = object.metadata.name ?? '';
    try {
      await write(admission, object);
      t.fail(`${why}: not denied`);
    } catch (error) {
      t.match(error, { message: denied(name, why), reason, code });
      const text = denied(name, why).replace(/^.*? is forbidden: /, '');
      t.same((error as ApiError).details?.causes, [{ message: text }]);
    }
    await without(admission);
  }
});

t.test('what is true is admitted, and what nobody bound is not asked', async (t) => {
  const admission = await createTestAdmission();
  t.teardown(() => admission.close());
  const lazy = [
    { name: 'broken', expression: "object.data.none == 'x'" },
    { name: 'fine', expression: 'has(object.data.k)' },
  ];
  await validating(admission, {
    variables: lazy,
    validations: [
      { expression: 'variables.fine || variables.broken' },
      { expression: "quantity('1Gi').isGreaterThan(quantity('1Mi'))" },
      { expression: "request.userInfo.username == 'admin' && request.namespace == 'default'" },
    ],
  });
  t.equal(await saysOf(write(admission, fresh({ k: 'v' }))), undefined);
  await admission.client.delete(validatingAdmissionPolicyBindings, { name: 'binding' });
  await admission.settle(() => !admission.concerns('configmaps', 'CREATE'));
  t.equal(admission.concerns('configmaps', 'CREATE'), false);
});

t.test('actions warn and audit, failures follow the failure policy', async (t) => {
  const admission = await createTestAdmission();
  t.teardown(() => admission.close());
  const validations = [{ expression: "object.data.k == 'ok'", message: 'not ok' }];
  const auditAnnotations = [
    { key: 'k', valueExpression: "'k is ' + object.data.k" },
    { key: 'none', valueExpression: "object.data.k == 'x' ? dyn('x') : dyn(null)" },
  ];
  await validating(admission, { validations, auditAnnotations }, { validationActions: ['Warn', 'Audit'] });
  const context = contextOf();
  t.equal(await saysOf(write(admission, fresh({ k: 'bad' }), context)), undefined);
  t.same(context.warnings, [
    "Validation failed for ValidatingAdmissionPolicy 'policy' with binding 'binding': not ok",
  ]);
  t.same(
    JSON.parse(admission.annotations.get('validation.policy.admission.k8s.io/validation_failure') ?? ''),
    [
      {
        message: 'not ok',
        policy: 'policy',
        binding: 'binding',
        expressionIndex: 0,
        validationActions: ['Warn', 'Audit'],
      },
    ],
  );
  t.equal(admission.annotations.get('policy/k'), 'k is bad');
  t.equal(admission.annotations.has('policy/none'), false);
  await without(admission);

  const broken = [{ expression: "object.data.none == 'x'" }];
  await validating(admission, { validations: broken, failurePolicy: 'Ignore' });
  t.equal(await saysOf(write(admission, fresh())), undefined, 'ignored');
  await without(admission);
});

t.test(
  'who is asked: rules, exclusions, names, selectors, conditions, of the policy and of the binding',
  async (t) => {
    const admission = await createTestAdmission();
    t.teardown(() => admission.close());
    await admission.client.create(namespaces, { metadata: { name: 'prod', labels: { env: 'prod' } } });
    const never = { validations: [{ expression: 'false', message: 'asked' }] };
    const rule = maps.resourceRules?.[0] ?? {};
    const cases: [string, Spec, BindingSpec, KubeObject, string, boolean][] = [
      ['rule', {}, {}, fresh(), 'default', true],
      [
        'operation',
        { matchConstraints: { resourceRules: [{ ...rule, operations: ['UPDATE'] }] } },
        {},
        fresh(),
        'default',
        false,
      ],
      [
        'excluded',
        { matchConstraints: { ...maps, excludeResourceRules: [{ ...rule, resourceNames: ['spared'] }] } },
        {},
        map('spared'),
        'default',
        false,
      ],
      [
        'named',
        { matchConstraints: { resourceRules: [{ ...rule, resourceNames: ['meant'] }] } },
        {},
        map('meant'),
        'default',
        true,
      ],
      [
        'not named',
        { matchConstraints: { resourceRules: [{ ...rule, resourceNames: ['meant'] }] } },
        {},
        fresh(),
        'default',
        false,
      ],
      [
        'namespace',
        { matchConstraints: { ...maps, namespaceSelector: { matchLabels: { env: 'prod' } } } },
        {},
        fresh(),
        'prod',
        true,
      ],
      [
        'other namespace',
        { matchConstraints: { ...maps, namespaceSelector: { matchLabels: { env: 'prod' } } } },
        {},
        fresh(),
        'default',
        false,
      ],
      [
        'binding namespace',
        {},
        { matchResources: { namespaceSelector: { matchLabels: { env: 'prod' } } } },
        fresh(),
        'default',
        false,
      ],
      [
        'binding in it',
        {},
        { matchResources: { namespaceSelector: { matchLabels: { env: 'prod' } } } },
        fresh(),
        'prod',
        true,
      ],
      [
        'binding labels',
        {},
        { matchResources: { objectSelector: { matchLabels: { a: 'b' } } } },
        fresh({}, { labels: { a: 'b' } }),
        'default',
        true,
      ],
      [
        'binding without labels',
        {},
        { matchResources: { objectSelector: { matchLabels: { a: 'b' } } } },
        fresh(),
        'default',
        false,
      ],
      [
        'condition',
        { matchConditions: [{ name: 'k', expression: "has(object.data) && 'k' in object.data" }] },
        {},
        fresh({ k: 'v' }),
        'default',
        true,
      ],
      [
        'condition unmet',
        { matchConditions: [{ name: 'k', expression: "has(object.data) && 'k' in object.data" }] },
        {},
        fresh(),
        'default',
        false,
      ],
    ];
    for (const [what, spec, binding, object, namespace, isAsked] of cases) {
      await admission.client.create(validatingAdmissionPolicies, {
        metadata: { name: 'policy' },
        spec: { matchConstraints: maps, ...never, ...spec },
      });
      await admission.client.create(validatingAdmissionPolicyBindings, {
        metadata: { name: 'binding' },
        spec: { policyName: 'policy', validationActions: ['Deny'], ...binding },
      });
      const seen = () =>
        ['CREATE', 'UPDATE'].some((operation) => admission.concerns('configmaps', operation as 'CREATE'));
      await admission.settle(seen);
      const row = admission.rowOf('configmaps');
      const says = await saysOf(admission.registry.create(row, namespace, object, contextOf()));
      t.equal(says !== undefined, isAsked, `${what}: ${says}`);
      await admission.client.delete(validatingAdmissionPolicies, { name: 'policy' });
      await admission.client.delete(validatingAdmissionPolicyBindings, { name: 'binding' });
      await admission.settle(() => !seen());
    }
  },
);

t.test('a condition that cannot be evaluated refuses or skips', async (t) => {
  const admission = await createTestAdmission();
  t.teardown(() => admission.close());
  const spec = {
    validations: [{ expression: 'true' }],
    matchConditions: [{ name: 'a', expression: "object.data.none == 'x'" }],
  };
  await validating(admission, spec);
  t.match(await saysOf(write(admission, fresh())), /denied request: .*no such key: none/);
  await without(admission);
  await validating(admission, { ...spec, failurePolicy: 'Ignore' });
  t.equal(await saysOf(write(admission, fresh())), undefined);
});

t.test('parameters are named or selected, and may be missing', async (t) => {
  const admission = await createTestAdmission();
  t.teardown(() => admission.close());
  const metadata = (name: string, labels = {}) => ({ name, namespace: 'default', labels });
  await admission.client.create(configMaps, { metadata: metadata('limit'), data: { max: '3' } });
  await admission.client.create(configMaps, {
    metadata: metadata('a', { limits: 'yes' }),
    data: { max: '5' },
  });
  await admission.client.create(configMaps, {
    metadata: metadata('b', { limits: 'yes' }),
    data: { max: '2' },
  });
  const spec = {
    paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
    validations: [
      {
        expression: 'params == null || size(object.data) <= int(params.data.max)',
        messageExpression: "'at most ' + params.data.max",
      },
    ],
  };
  const deny = { parameterNotFoundAction: 'Deny' };
  const labelled = { matchLabels: { limits: 'yes' } };
  const cases: [BindingSpec, number, RegExp | undefined][] = [
    [{ paramRef: { name: 'limit', ...deny } }, 3, undefined],
    [{ paramRef: { name: 'limit', ...deny } }, 4, /denied request: at most 3/],
    [{ paramRef: { name: 'limit', namespace: 'default', ...deny } }, 4, /at most 3/],
    [{ paramRef: { selector: labelled, ...deny } }, 3, /at most 2/],
    [{ paramRef: { selector: labelled, ...deny } }, 2, undefined],
    [
      { paramRef: { name: 'none', ...deny } },
      0,
      /failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction/,
    ],
    [{ paramRef: { name: 'none', parameterNotFoundAction: 'Allow' } }, 99, undefined],
    [{}, 99, undefined],
  ];
  for (const [binding, size, expected] of cases) {
    await validating(admission, spec, binding);
    const data = Object.fromEntries(Array.from({ length: size }, (_, i) => [`k${i}`, 'v']));
    const says = await saysOf(write(admission, fresh(data)));
    if (expected) t.match(says, expected);
    else t.equal(says, undefined);
    await without(admission);
  }
  await validating(
    admission,
    { ...spec, paramKind: { apiVersion: 'v1', kind: 'Nothing' } },
    { paramRef: { name: 'x', ...deny } },
  );
  t.match(
    await saysOf(write(admission, fresh())),
    /failed to configure binding: paramKind kind `.*Nothing.*` not known/,
  );
});

t.test('expressions ask the authorizer', async (t) => {
  const asked: string[] = [];
  const admission = await createTestAdmission({
    authorize: async ({ user, verb, group, resource, namespace, name }) => {
      asked.push([user.name, verb, group, resource, namespace, name].join(' '));
      return { allowed: user.name !== 'admin' || verb === 'bless', reason: 'because' };
    },
  });
  t.teardown(() => admission.close());
  await validating(admission, {
    variables: [{ name: 'may', expression: "authorizer.requestResource.check('bless').allowed()" }],
    validations: [
      { expression: 'variables.may' },
      {
        expression:
          "authorizer.group('apps').resource('deployments').namespace('x').check('create').allowed()",
      },
    ],
  });
  const object = map('asked');
  t.match(await saysOf(write(admission, object)), /failed expression: authorizer.group/);
  t.same(asked, ['admin bless  configmaps default asked', 'admin create apps deployments x ']);
});

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

const deployment = (name: string, labels: Record<string, string> = {}): Deployment => ({
  metadata: { name, namespace: 'default', labels },
  spec: {
    replicas: 1,
    selector: { matchLabels: { a: 'b' } },
    template: {
      metadata: { labels: { a: 'b' } },
      spec: { containers: [{ name: 'main', image: 'i:1', args: ['x'] }] },
    },
  },
});

async function mutating(
  admission: TestAdmission,
  name: string,
  mutations: MutatingAdmissionPolicySpec['mutations'],
  more: Partial<MutatingAdmissionPolicySpec> = {},
): Promise<void> {
  await admission.client.create(mutatingAdmissionPolicies, {
    metadata: { name },
    spec: { matchConstraints: apps, mutations, reinvocationPolicy: 'Never', ...more },
  });
  await admission.client.create(mutatingAdmissionPolicyBindings, {
    metadata: { name: `${name}-binding` },
    spec: { policyName: name },
  });
  await admission.settle(() => admission.concerns('deployments', 'CREATE'));
}

async function nothing(admission: TestAdmission, ...names: string[]): Promise<void> {
  for (const name of names) {
    await admission.client.delete(mutatingAdmissionPolicies, { name });
    await admission.client.delete(mutatingAdmissionPolicyBindings, { name: `${name}-binding` });
  }
  await admission.settle(() => !admission.concerns('deployments', 'CREATE'));
}

const apply = (expression: string) => ({
  patchType: 'ApplyConfiguration',
  applyConfiguration: { expression },
});
const patch = (expression: string) => ({ patchType: 'JSONPatch', jsonPatch: { expression } });

t.test('mutating policies merge configurations and apply patches', async (t) => {
  const admission = await createTestAdmission();
  t.teardown(() => admission.close());
  const sidecar = `Object{
    spec: Object.spec{
      template: Object.spec.template{
        spec: Object.spec.template.spec{
          containers: [
            Object.spec.template.spec.containers{ name: 'side', image: 'side:' + object.metadata.name },
            Object.spec.template.spec.containers{ name: 'main', workingDir: '/work' }
          ]
        }
      }
    }
  }`;
  await mutating(admission, 'p', [
    apply('Object{ spec: Object.spec{ replicas: object.spec.replicas + 2 } }'),
    apply(sidecar),
  ]);
  const made = await admission.client.create(deployments, deployment('d1'));
  t.equal(made.spec?.replicas, 3);
  const containers = made.spec?.template.spec?.containers ?? [];
  t.same(containers.map(({ name, image }) => [name, image]).sort(), [
    ['main', 'i:1'],
    ['side', 'side:d1'],
  ]);
  t.match(
    containers.find(({ name }) => name === 'main'),
    { workingDir: '/work', args: ['x'], imagePullPolicy: /./ },
  );
  await nothing(admission, 'p');

  await mutating(admission, 'p', [
    patch(`[
      JSONPatch{op: "test", path: "/spec/replicas", value: 1},
      JSONPatch{op: "replace", path: "/spec/replicas", value: 7},
      JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("example.com/a.b"), value: "on"},
      JSONPatch{op: "add", path: "/spec/strategy", value: Object.spec.strategy{ type: "Recreate" }}
    ]`),
  ]);
  const patched = await admission.client.create(deployments, deployment('d2'));
  t.match(patched, {
    spec: { replicas: 7, strategy: { type: 'Recreate' } },
    metadata: { labels: { 'example.com/a.b': 'on' } },
  });
  const untested = await admission.client.create(deployments, {
    ...deployment('d3'),
    spec: { ...deployment('d3').spec, replicas: 2 } as never,
  });
  t.equal(untested.spec?.replicas, 2, 'a failed test leaves the object alone');
  await nothing(admission, 'p');
});

t.test('mutating policies that fail, conditions, and a second call', async (t) => {
  const admission = await createTestAdmission();
  t.teardown(() => admission.close());
  const cases: [string, RegExp][] = [
    [
      'Object{ spec: Object.spec{ nothing: 1 } }',
      /policy 'p' with binding 'p-binding' denied request: error applying patch: failed to convert patch object to typed object: .*nothing: field not declared in schema/,
    ],
    [
      "Object{ spec: Object.spec{ template: Object.spec.template{ spec: Object.spec.template.spec{ containers: [Object.spec.template.spec.containers{ name: 'main', args: ['y'] }] } } } }",
      /may not mutate atomic arrays, maps or structs: .spec.template.spec.containers\[0\].args/,
    ],
    ['Object{ spec: Object.spec{ replicas: object.spec.none } }', /resulted in error: no such key: none/],
  ];
  for (const [expression, message] of cases) {
    await mutating(admission, 'p', [apply(expression)]);
    await t.rejects(admission.client.create(deployments, deployment('d')), { message });
    await nothing(admission, 'p');
    await mutating(admission, 'p', [apply(expression)], { failurePolicy: 'Ignore' });
    await t.resolves(admission.client.create(deployments, deployment('d'), { dryRun: true }));
    await nothing(admission, 'p');
  }
  const count =
    "[JSONPatch{op: 'add', path: '/metadata/labels/n', value: string(int(object.metadata.?labels.?n.orValue('0')) + 1)}]";
  const mark = "[JSONPatch{op: 'add', path: '/metadata/labels/marked', value: 'yes'}]";
  const isNew = [{ name: 'new', expression: "!('marked' in object.metadata.labels)" }];
  await mutating(admission, 'a', [patch(count)], { reinvocationPolicy: 'IfNeeded' });
  await mutating(admission, 'b', [patch(mark)], { matchConditions: isNew });
  await admission.settle(() => false);
  const made = await admission.client.create(deployments, deployment('d', { x: 'y' }));
  t.match(made.metadata.labels, { n: '2', marked: 'yes' }, 'called again after the later change');
});

t.test('policies and bindings are checked', async (t) => {
  const admission = await createTestAdmission();
  t.teardown(() => admission.close());
  const { registry, rowOf } = admission;
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

t.test('expressions that cannot be right are told of in the status', async (t) => {
  const admission = await createTestAdmission();
  const informers = createInformers({ client: admission.client, clock: systemClock, log: silentLogger });
  const controller = createTypeCheckController({
    ...{ client: admission.client, informers, resources: admission.registry.resources },
    ...{ clock: systemClock, log: silentLogger },
  });
  t.teardown(async () => {
    await controller.stop();
    await informers.stop();
    await admission.close();
  });
  await informers.start(new AbortController().signal);
  await controller.start(new AbortController().signal);
  const statusOf = async (validations: ValidatingAdmissionPolicySpec['validations']) => {
    await admission.client.create(validatingAdmissionPolicies, {
      metadata: { name: 'typed' },
      spec: { matchConstraints: apps, validations },
    });
    const read = () => admission.client.get(validatingAdmissionPolicies, { name: 'typed' });
    for (let turn = 0; turn < 1000 && !(await read()).status; turn += 1)
      await new Promise((resolve) => setImmediate(resolve));
    const { status } = await read();
    await admission.client.delete(validatingAdmissionPolicies, { name: 'typed' });
    return status;
  };
  t.same(
    await statusOf([
      { expression: 'object.spec.replicas <= 5 && object.metadata.labels.all(k, k.size() < 9)' },
      { expression: 'object.spec.template.spec.containers.all(c, has(c.image) && c.image != "x")' },
      { expression: 'oldObject == null || oldObject.spec.paused' },
    ]),
    { observedGeneration: 1, typeChecking: {} },
  );
  const warned = await statusOf([
    { expression: 'true' },
    { expression: 'object.nothing > 5' },
    { expression: 'object.spec.replicas == "5"' },
  ]);
  t.match(warned?.typeChecking?.expressionWarnings, [
    {
      fieldRef: 'spec.validations[1].expression',
      warning: /^apps\/v1, Kind=Deployment: ERROR: <input>:1:\d+: undefined field 'nothing'/,
    },
    {
      fieldRef: 'spec.validations[2].expression',
      warning: /found no matching overload for '_==_' applied to '\(int, string\)'/,
    },
  ]);
});

t.test('expressions are rewritten by their tokens, not by their text', (t) => {
  const cases: [string, string][] = [
    ["'authorizer.requestResource' + x", "'authorizer.requestResource' + x"],
    ['authorizer.requestResource.check("get")', 'authorizerRequestResource.check("get")'],
    ['a.authorizer.requestResource', 'a.authorizer.requestResource'],
    ['Object{a: b ? c : d, ?e: f}', '{"a": b ? c : d, ?"e": f}'],
    ['Object.x.y{a: {b: c}, d: [Object{e: 1}]}', '{"a": {b: c}, "d": [{"e": 1}]}'],
    ['Objects.x{a: b}', 'Objects.x{a: b}'],
    ['object{a: b}', 'object{a: b}'],
    ["jsonpatch.escapeKey(f(')'))", "(f(')')).replace('~', '~0').replace('/', '~1')"],
  ];
  for (const [from, to] of cases) t.equal(rewriteExpression(from, true).text, to);
  t.same(rewriteExpression("variables.a + x.variables.b + 'variables.c' + variables.?d").composed, [
    'a',
    'd',
  ]);
  t.end();
});
