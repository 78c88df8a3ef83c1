/** Admission behind a whole HTTPS front: options as sent, warnings as headers, codes as answers. */
import t from 'tap';
import { validatingWebhookConfigurations } from '../../src/api/kinds.js';
import { systemClock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import { createCaller } from '../aggregation/caller.js';
import { createTestServer } from '../http/testing.js';
import { createRegistryClient } from '../registry/client.js';
import { createAdmissionChain } from './chain.js';
import { createAdmissionSlot } from './slot.js';
import { createTestTls, startWebhook } from './testing.js';

t.test('a webhook sees what was sent and its answer reaches the client', async (t) => {
  const tls = await createTestTls();
  const admission = createAdmissionSlot();
  const server = await createTestServer({}, { admission });
  const client = createRegistryClient(server.registry, { name: 'master', groups: [] });
  const clock = systemClock;
  const caller = createCaller({ client, clock });
  const chain = createAdmissionChain({
    ...{ client, resources: server.registry.resources, caller, clock, log: silentLogger },
    authorize: () => ({ allowed: true, reason: '' }),
  });
  const webhook = await startWebhook(tls, ({ request }) =>
    request['operation'] === 'DELETE'
      ? { allowed: false, status: { code: 418, message: 'never' } }
      : { allowed: true, warnings: ['careful "now"'] },
  );
  t.teardown(async () => {
    await chain.stop();
    caller.close();
    await server.close();
    await webhook.close();
  });
  await client.create(validatingWebhookConfigurations, {
    metadata: { name: 'a' },
    webhooks: [
      {
        name: 'a.example.com',
        clientConfig: { url: `${webhook.url}/x`, caBundle: tls.caBundle },
        rules: [{ operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }],
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
      },
    ],
  });
  await chain.start(new AbortController().signal);
  admission.use(chain);
  const path = '/api/v1/namespaces/default/configmaps';
  const lastOptions = () => webhook.reviews.at(-1)?.request['options'];

  const created = await server.ask('POST', `${path}?fieldManager=me&fieldValidation=Strict&dryRun=All`, {
    body: { metadata: { name: 'm' } },
  });
  t.equal(created.code, 201);
  t.equal(created.headers['warning'], '299 - "careful \\"now\\""');
  const common = { apiVersion: 'meta.k8s.io/v1', fieldManager: 'me' };
  t.same(lastOptions(), { ...common, kind: 'CreateOptions', fieldValidation: 'Strict', dryRun: ['All'] });
  t.equal((await server.ask('POST', path, { body: { metadata: { name: 'm' } } })).code, 201);
  t.same(lastOptions(), { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' });
  await server.ask('PATCH', `${path}/m?fieldManager=me`, {
    body: { data: { k: 'v' } },
    headers: { 'content-type': 'application/merge-patch+json' },
  });
  t.same(lastOptions(), { ...common, kind: 'PatchOptions' });
  const body = { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 3 };
  const gone = await server.ask('DELETE', `${path}/m`, { body });
  t.equal(gone.code, 418);
  t.match(gone.json(), {
    status: 'Failure',
    code: 418,
    message: 'admission webhook "a.example.com" denied the request: never',
  });
  t.same(lastOptions(), { kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1', gracePeriodSeconds: 3 });
  t.equal((await server.ask('DELETE', path)).code, 418, 'a collection is asked about one by one');
});
