/** Defaults and validation of webhook configurations, in kube-apiserver's words. */
import t from 'tap';
import { createFakeClock } from '../../../src/testing/clock.js';
import { causesOf, contextOf, createTestRegistry } from '../testing.js';

const webhook = {
  name: 'a.example.com',
  clientConfig: { service: { namespace: 'n', name: 's' } },
  rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
};

const { registry, rowOf } = await createTestRegistry({ clock: createFakeClock() });
const create = (webhooks: object[], kind = 'mutatingwebhookconfigurations', dryRun = true) =>
  registry.create(rowOf(kind), undefined, { metadata: { name: 'c' }, webhooks }, contextOf({ dryRun }));

t.test('defaults', async (t) => {
  const { object } = await create([webhook]);
  t.match(object, {
    webhooks: [
      {
        clientConfig: { service: { port: 443 } },
        failurePolicy: 'Fail',
        matchPolicy: 'Equivalent',
        namespaceSelector: {},
        objectSelector: {},
        reinvocationPolicy: 'Never',
        timeoutSeconds: 10,
        rules: [{ scope: '*' }],
      },
    ],
  });
  const validating = await create([webhook], 'validatingwebhookconfigurations');
  t.notOk(JSON.stringify(validating.object).includes('reinvocationPolicy'));
});

t.test('generation grows with the webhooks', async (t) => {
  const row = rowOf('mutatingwebhookconfigurations');
  await create([webhook], 'mutatingwebhookconfigurations', false);
  const update = (webhooks: object[], labels = {}) =>
    registry.update(row, { name: 'c' }, { metadata: { name: 'c', labels }, webhooks }, contextOf());
  t.equal((await update([webhook], { a: 'b' })).object.metadata.generation, 1);
  t.equal((await update([{ ...webhook, timeoutSeconds: 3 }])).object.metadata.generation, 2);
  await registry.delete(row, { name: 'c' }, {}, contextOf());
});

const rule = webhook.rules[0];
const cases: [object, string[]][] = [
  [{}, []],
  [{ name: '' }, ['webhooks[0].name: Required value']],
  [
    { name: 'a.b' },
    [
      'webhooks[0].name: Invalid value: "a.b": should be a domain with at least three segments separated by dots',
    ],
  ],
  [
    { sideEffects: undefined },
    ['webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun'],
  ],
  [
    { sideEffects: 'Some' },
    ['webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"'],
  ],
  [
    { admissionReviewVersions: [] },
    ['webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1'],
  ],
  [
    { admissionReviewVersions: ['v2'] },
    ['webhooks[0].admissionReviewVersions: Invalid value: ["v2"]: must include at least one of v1, v1beta1'],
  ],
  [
    { admissionReviewVersions: ['v1', 'v1'] },
    ['webhooks[0].admissionReviewVersions[1]: Invalid value: "v1": duplicate version'],
  ],
  [
    { timeoutSeconds: 31 },
    ['webhooks[0].timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds'],
  ],
  [
    { failurePolicy: 'No' },
    ['webhooks[0].failurePolicy: Unsupported value: "No": supported values: "Fail", "Ignore"'],
  ],
  [
    { clientConfig: {} },
    ['webhooks[0].clientConfig: Required value: exactly one of url or service is required'],
  ],
  [
    { clientConfig: { url: 'http://a/b' } },
    [
      'webhooks[0].clientConfig.url: Invalid value: "http": \'https\' is the only allowed URL scheme; desired format: https://host[/path]',
    ],
  ],
  [
    { clientConfig: { url: 'https://u@h/b?c#d' } },
    [
      'webhooks[0].clientConfig.url: Invalid value: "u": user information is not permitted in the URL',
      'webhooks[0].clientConfig.url: Invalid value: "d": fragments are not permitted in the URL',
      'webhooks[0].clientConfig.url: Invalid value: "c": query parameters are not permitted in the URL',
    ],
  ],
  [
    { clientConfig: { service: { namespace: '', name: '', path: 'x', port: 0 } } },
    [
      'webhooks[0].clientConfig.service.name: Required value: service name is required',
      'webhooks[0].clientConfig.service.namespace: Required value: service namespace is required',
      'webhooks[0].clientConfig.service.port: Invalid value: 0: port is not valid: must be between 1 and 65535, inclusive',
      'webhooks[0].clientConfig.service.path: Invalid value: "x": must start with a \'/\'',
    ],
  ],
  [{ rules: [{ ...rule, operations: [] }] }, ['webhooks[0].rules[0].operations: Required value']],
  [
    { rules: [{ ...rule, operations: ['*', 'CREATE'] }] },
    [
      'webhooks[0].rules[0].operations: Invalid value: ["*","CREATE"]: if \'*\' is present, must not specify other operations',
    ],
  ],
  [
    { rules: [{ ...rule, operations: ['GET'] }] },
    [
      'webhooks[0].rules[0].operations[0]: Unsupported value: "GET": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE"',
    ],
  ],
  [
    { rules: [{ ...rule, resources: ['pods/*', 'pods/exec'] }] },
    [
      'webhooks[0].rules[0].resources[1]: Invalid value: "pods/exec": if \'pods/*\' is present, must not specify pods/exec',
    ],
  ],
  [
    { rules: [{ ...rule, resources: ['*/*', 'a'] }] },
    [
      'webhooks[0].rules[0].resources: Invalid value: ["*/*","a"]: if \'*/*\' is present, must not specify other resources',
    ],
  ],
  [
    { rules: [{ ...rule, scope: 'World' }] },
    [
      'webhooks[0].rules[0].scope: Unsupported value: "World": supported values: "*", "Cluster", "Namespaced"',
    ],
  ],
  [
    { namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'Near' }] } },
    [
      'webhooks[0].namespaceSelector.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator',
    ],
  ],
  [
    { matchConditions: [{ name: 'c', expression: '' }] },
    ['webhooks[0].matchConditions[0].expression: Required value'],
  ],
];

t.test('validation', async (t) => {
  for (const [more, causes] of cases) t.same(await causesOf(create([{ ...webhook, ...more }])), causes);
  t.same(await causesOf(create([webhook, webhook])), ['webhooks[1].name: Duplicate value: "a.example.com"']);
  const conditions = { matchConditions: [{ name: 'c', expression: 'object.' }] };
  t.match(await causesOf(create([{ ...webhook, ...conditions }])), [
    /^webhooks\[0\].matchConditions\[0\].expression: Invalid value: "object.": compilation failed: ERROR: <input>:1:/,
  ]);
});
