/** Mutating webhooks that answer what no honest one does, over HTTPS, through the registry. */
import t, { type Test } from 'tap';
import { ApiError } from '../../src/api/errors.js';
import { configMaps, mutatingWebhookConfigurations, namespaces } from '../../src/api/kinds.js';
import { contextOf } from '../registry/testing.js';
import { createTestAdmission, createTestTls, patchOf, startWebhook, type TestAdmission } from './testing.js';

const tls = await createTestTls(['localhost']);

/** Answers the text that it is told to; `UID` in it is replaced. */
async function startLiar(t: Test) {
  const admission = await createTestAdmission();
  let text = '';
  const server = await startWebhook(tls, ({ request }, _path, { response }) => {
    response.end(text.replace('UID', request.uid));
    return undefined;
  });
  t.teardown(() => Promise.all([admission.close(), server.close()]));
  await admission.client.create(mutatingWebhookConfigurations, {
    metadata: { name: 'liar' },
    webhooks: [
      {
        name: 'liar.example.com',
        clientConfig: { url: server.url, caBundle: tls.caBundle },
        rules: [{ operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }],
        ...{ sideEffects: 'None', admissionReviewVersions: ['v1'], failurePolicy: 'Fail' },
        ...{ matchPolicy: 'Equivalent', timeoutSeconds: 5 },
      },
    ],
  });
  await admission.settle(() => admission.concerns('configmaps', 'CREATE'));
  const says = (response: string): void => {
    text = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"UID",${response}}}`;
  };
  return { admission, says };
}

const create = (admission: TestAdmission, name: string) =>
  admission.registry.create(
    admission.rowOf('configmaps'),
    'default',
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: {} },
    contextOf(),
  );

const patchText = (operations: readonly object[]): string =>
  `"allowed":true,${JSON.stringify(patchOf(operations)).slice(1, -1)}`;

t.test('a refusal whose words are of another type is no answer', async (t) => {
  const { admission, says } = await startLiar(t);
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const lies = [
    ...['"x"', deep, '{"message":{"toString":1}}', '{"message":["x"]}', '{"reason":{}}', '{"code":"403"}'],
    ...['{"details":"x"}', '{"details":{"retryAfterSeconds":"1\\r\\nx: y"}}', '{"details":{"name":{}}}'],
    ...[
      `{"details":{"causes":${deep}}}`,
      '{"details":{"causes":"x"}}',
      '{"details":{"causes":[{"field":1}]}}',
    ],
  ];
  for (const [index, status] of lies.entries()) {
    says(`"allowed":false,"status":${status}`);
    const error = await create(admission, `lie-${index}`).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof ApiError)) throw error;
    t.match(error.message, /failed calling webhook "liar.example.com": received invalid webhook response: /);
    t.ok(JSON.stringify(error.toStatus()).length < 1000);
  }
  const details = { name: 'x', causes: [{ field: 'a', message: 'b' }], retryAfterSeconds: 3 };
  says(`"allowed":false,"status":${JSON.stringify({ code: 429, message: 'no', details, reason: null })}`);
  await t.rejects(create(admission, 'honest'), { code: 429, details });
});

t.test('what is created stays where it was asked for, and is what the registry made', async (t) => {
  const { admission, says } = await startLiar(t);
  await admission.client.create(namespaces, { metadata: { name: 'kube-system' } });
  says(patchText([{ op: 'replace', path: '/metadata/namespace', value: 'kube-system' }]));
  await t.rejects(create(admission, 'moved'), {
    code: 400,
    message: 'the namespace of the provided object does not match the namespace sent on the request',
  });
  says(patchText([{ op: 'remove', path: '/metadata/namespace' }]));
  await create(admission, 'nowhere');
  t.ok(await admission.client.get(configMaps, { namespace: 'default', name: 'nowhere' }));
  const old = '2001-01-01T00:00:00Z';
  const forged = { uid: 'forged', creationTimestamp: old, deletionTimestamp: old, resourceVersion: '7' };
  says(
    patchText(Object.entries(forged).map(([key, value]) => ({ op: 'add', path: `/metadata/${key}`, value }))),
  );
  await create(admission, 'forged');
  const { metadata } = await admission.client.get(configMaps, { namespace: 'default', name: 'forged' });
  t.not(metadata.uid, 'forged');
  t.not(metadata.creationTimestamp, old);
  t.equal(metadata.deletionTimestamp, undefined);
  t.not(metadata.resourceVersion, '7');
  t.same((await admission.client.list(configMaps, { namespace: 'kube-system' })).items, []);
});

t.test('a patch that is too deep, or means the prototype of everything', async (t) => {
  const { admission, says } = await startLiar(t);
  const deep = Buffer.from(
    `[{"op":"add","path":"/data/a","value":${'['.repeat(100_000)}${']'.repeat(100_000)}}]`,
  );
  says(`"allowed":true,"patchType":"JSONPatch","patch":"${deep.toString('base64')}"`);
  await t.rejects(create(admission, 'deep'), { code: 500 });
  says(patchText([{ op: 'add', path: '/__proto__/polluted', value: 'x' }]));
  await t.rejects(create(admission, 'proto'), { code: 500 });
  t.notOk('polluted' in {});
});
