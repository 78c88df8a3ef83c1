/** MutatingAdmissionPolicy through the registry: configurations and patches, failures, second calls; and the rewriting of expressions. */
import t from 'tap';
import {
  deployments,
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
} from '../../src/api/kinds.js';
import type { Deployment, MatchResources, MutatingAdmissionPolicySpec } from '../../src/api/types.js';
import { rewriteExpression } from './rewrite.js';
import { createTestAdmission, type TestAdmission } from './testing.js';

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
