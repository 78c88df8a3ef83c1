/** What admission sees of writes that are not of the kind itself: subresources, connections, other versions. */
import t from 'tap';
import { deployments, mutatingWebhookConfigurations } from '../../src/api/kinds.js';
import type { KubeObject, MutatingWebhook } from '../../src/api/types.js';
import { contextOf } from '../registry/testing.js';
import { connectOptions } from './connect.js';
import { createTestAdmission, createTestTls, patchOf, startWebhook, type WebhookServer } from './testing.js';

const tls = await createTestTls();

const webhook = (server: WebhookServer, rules: MutatingWebhook['rules']): MutatingWebhook => ({
  name: 'a.example.com',
  clientConfig: { url: server.url, caBundle: tls.caBundle },
  rules,
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
});

t.test('subresources: scales, bindings and connections are seen as what they are', async (t) => {
  const admission = await createTestAdmission();
  const server = await startWebhook(tls, (review) =>
    review.request['operation'] === 'CONNECT'
      ? { allowed: false, status: { message: 'no shells' } }
      : review.request['subResource'] === 'scale'
        ? { allowed: true, ...patchOf([{ op: 'replace', path: '/spec/replicas', value: 2 }]) }
        : { allowed: true },
  );
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  const { client, registry, rowOf } = admission;
  const template = {
    metadata: { labels: { a: 'b' } },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  };
  const at = { name: 'd', namespace: 'default' };
  const spec = { selector: { matchLabels: { a: 'b' } }, template };
  await client.create(deployments, { metadata: at, spec });
  const pod = { metadata: { name: 'p' }, spec: template.spec };
  await registry.create(rowOf('pods'), 'default', pod, contextOf({ fieldValidation: 'Ignore' }));
  const rules = [
    {
      operations: ['*'],
      apiGroups: ['*'],
      apiVersions: ['*'],
      resources: ['deployments/scale', 'pods/binding', 'pods/exec'],
    },
  ];
  await client.create(mutatingWebhookConfigurations, {
    metadata: { name: 'a' },
    webhooks: [webhook(server, rules)],
  });
  await admission.settle(() => admission.concerns('pods', 'CONNECT', 'exec'));
  t.equal(admission.concerns('deployments', 'UPDATE'), false);
  const scale = { metadata: at, spec: { replicas: 5 } };
  await registry.update(rowOf('deployments'), at, scale, contextOf(), 'scale');
  t.match(server.reviews[0]?.request, {
    kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
    resource: { group: 'apps', resource: 'deployments' },
    subResource: 'scale',
    object: { kind: 'Scale', spec: { replicas: 5 } },
    oldObject: { kind: 'Scale', spec: { replicas: 1 } },
  });
  t.equal((await client.get(deployments, at)).spec?.replicas, 2);
  const ref = { namespace: 'default', name: 'p' };
  const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'p' }, target: { name: 'n' } };
  await registry.post(rowOf('pods'), ref, 'binding', binding, contextOf());
  t.match(server.reviews[1]?.request, {
    operation: 'CREATE',
    kind: { group: '', version: 'v1', kind: 'Binding' },
    subResource: 'binding',
    name: 'p',
    object: { target: { name: 'n' } },
  });
  const query = new URLSearchParams('command=sh&command=-c&stdin=true&container=c');
  const options = connectOptions({ resource: 'pods', subresource: 'exec', rest: [] }, query);
  await t.rejects(registry.connect(rowOf('pods'), ref, 'exec', options, contextOf()), {
    message: 'admission webhook "a.example.com" denied the request: no shells',
  });
  t.match(server.reviews[2]?.request, {
    operation: 'CONNECT',
    kind: { kind: 'PodExecOptions' },
    object: { kind: 'PodExecOptions', command: ['sh', '-c'], stdin: true, container: 'c' },
    options: null,
  });
});

t.test('a request for another version of the kind is shown in the version that the rule names', async (t) => {
  const admission = await createTestAdmission();
  const server = await startWebhook(tls, () => ({
    allowed: true,
    ...patchOf([{ op: 'replace', path: '/spec/maxReplicas', value: 7 }]),
  }));
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  const { client, registry } = admission;
  const rowIn = (version: string) => {
    const row = registry.resources.at('autoscaling', version, 'horizontalpodautoscalers');
    if (!row) throw new Error(version);
    return row;
  };
  const names = { apiGroups: ['autoscaling'], apiVersions: ['v2'], resources: ['horizontalpodautoscalers'] };
  const configure = async (matchPolicy: string) => {
    const hook = { ...webhook(server, [{ operations: ['CREATE'], ...names }]), matchPolicy };
    await client.create(mutatingWebhookConfigurations, {
      metadata: { name: matchPolicy.toLowerCase() },
      webhooks: [hook],
    });
    const concerns = (): boolean => admission.concernsRow(rowIn('v2'), 'CREATE');
    await admission.settle(concerns);
  };
  const scaler = (name: string): KubeObject =>
    ({
      metadata: { name },
      spec: {
        maxReplicas: 3,
        targetCPUUtilizationPercentage: 60,
        scaleTargetRef: { kind: 'Deployment', name: 'd', apiVersion: 'apps/v1' },
      },
    }) as KubeObject;
  const create = (name: string) => registry.create(rowIn('v1'), 'default', scaler(name), contextOf());
  await configure('Exact');
  await create('exact');
  t.equal(server.reviews.length, 0);
  await client.delete(mutatingWebhookConfigurations, { name: 'exact' });
  await configure('Equivalent');
  await admission.settle(() => admission.concernsRow(rowIn('v1'), 'CREATE'));
  const { object } = await create('equivalent');
  t.match(object, {
    apiVersion: 'autoscaling/v1',
    spec: { maxReplicas: 7, targetCPUUtilizationPercentage: 60 },
  });
  t.match(server.reviews[0]?.request, {
    kind: { group: 'autoscaling', version: 'v2', kind: 'HorizontalPodAutoscaler' },
    resource: { version: 'v2' },
    requestKind: { version: 'v1' },
    requestResource: { version: 'v1' },
    object: { apiVersion: 'autoscaling/v2', spec: { metrics: [{ resource: { name: 'cpu' } }] } },
  });
});
