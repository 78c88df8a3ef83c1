/** Admission policies through the registry: what they see, deny, warn of, audit and change, and how they are configured. */
import t from 'tap';
import { ApiError } from '../../src/api/errors.js';
import {
  configMaps,
  namespaces,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
} from '../../src/api/kinds.js';
import type {
  KubeObject,
  MatchResources,
  ValidatingAdmissionPolicyBindingSpec,
  ValidatingAdmissionPolicySpec,
} from '../../src/api/types.js';
import { contextOf, type Warned } from '../registry/testing.js';
import { createTestAdmission, type TestAdmission } from './testing.js';

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
