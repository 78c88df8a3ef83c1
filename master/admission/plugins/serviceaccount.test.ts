/** ServiceAccount: which account a pod gets, what is mounted, which Secrets it may use. */
import t, { type Test } from 'tap';
import { isReason } from '../../../src/api/errors.js';
import { pods, serviceAccounts } from '../../../src/api/kinds.js';
import type { Pod, PodSpec, ServiceAccount } from '../../../src/api/types.js';
import { resources } from '../../resources/testing.js';
import { createServiceAccount } from './serviceaccount.js';
import { createPluginBed, type PluginBed, settle } from './testing.js';

const container = { name: 'app', image: 'nginx' };
const at = '/var/run/secrets/kubernetes.io/serviceaccount';

async function bed(t: Test, account?: Partial<ServiceAccount>): Promise<PluginBed> {
  const made = await createPluginBed([createServiceAccount], {
    before: async (client) =>
      account &&
      client.create(serviceAccounts, { metadata: { namespace: 'default', name: 'default' }, ...account }),
  });
  t.teardown(() => made.close());
  return made;
}

const create = (
  { client }: PluginBed,
  spec: Partial<PodSpec> = {},
  more: Pod['metadata'] = {},
): Promise<Pod> =>
  client.create(pods, {
    metadata: { namespace: 'default', name: 'web', ...more },
    spec: { containers: [container], ...spec },
  });

t.test('concerned with new pods and their debug containers, nothing else', async (t) => {
  const informers = { get: () => undefined };
  const plugin = createServiceAccount({ informers } as unknown as Parameters<typeof createServiceAccount>[0]);
  const asked = resources.flatMap((resource) =>
    (['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] as const).flatMap((operation) =>
      ['', ...resource.subresources]
        .filter((subresource) => plugin.concerns(resource, operation, subresource))
        .map((subresource) => `${operation} ${resource.type.resource} ${subresource}`),
    ),
  );
  t.strictSame(asked, ['CREATE pods ', 'UPDATE pods ephemeralcontainers']);
});

t.test('a pod gets account, pull secrets and token', async (t) => {
  const made = await bed(t, { imagePullSecrets: [{ name: 'pull' }] });
  const { spec } = await create(made, { initContainers: [{ ...container, name: 'first' }] });
  t.match(spec, {
    serviceAccountName: 'default',
    serviceAccount: 'default',
    imagePullSecrets: [{ name: 'pull' }],
  });
  const [volume, ...others] = spec?.volumes ?? [];
  t.strictSame(others, []);
  t.match(volume?.name, /^kube-api-access-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  t.strictSame(volume?.projected, {
    defaultMode: 420,
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      {
        downwardAPI: {
          items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
        },
      },
    ],
  });
  const mount = { name: volume?.name, readOnly: true, mountPath: at };
  for (const { volumeMounts } of [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])])
    t.strictSame(volumeMounts, [mount]);
});

t.test('what the pod says itself stays', async (t) => {
  const made = await bed(t, { imagePullSecrets: [{ name: 'pull' }] });
  await made.client.create(serviceAccounts, { metadata: { namespace: 'default', name: 'robot' } });
  const mine = { name: 'mine', emptyDir: {} };
  const { spec } = await create(made, {
    serviceAccount: 'robot',
    imagePullSecrets: [{ name: 'own' }],
    volumes: [mine],
    containers: [
      { ...container, volumeMounts: [{ name: 'mine', mountPath: at }] },
      { ...container, name: 'other', volumeMounts: [{ name: 'mine', mountPath: '/data' }] },
    ],
  });
  t.match(spec, {
    serviceAccountName: 'robot',
    serviceAccount: 'robot',
    imagePullSecrets: [{ name: 'own' }],
  });
  t.strictSame(
    spec?.containers.map(({ volumeMounts }) => volumeMounts?.map(({ mountPath }) => mountPath)),
    [[at], ['/data', at]],
  );
  t.match(spec?.volumes, [mine, { name: /^kube-api-access-/ }]);

  const given = { name: 'kube-api-access-given', emptyDir: {} };
  const again = await create(made, { volumes: [given] }, { name: 'again' });
  t.strictSame(
    again.spec?.volumes?.map(({ name }) => name),
    ['kube-api-access-given'],
    'used again',
  );
  t.match(again.spec?.containers[0]?.volumeMounts, [{ name: 'kube-api-access-given', mountPath: at }]);
});

t.test('who does not want a token', async (t) => {
  const made = await bed(t, { automountServiceAccountToken: false });
  const mounts = async (name: string, spec: Partial<PodSpec>): Promise<number> =>
    (await create(made, spec, { name })).spec?.volumes?.length ?? 0;
  t.equal(await mounts('account', {}), 0, 'the account says no');
  t.equal(await mounts('pod', { automountServiceAccountToken: true }), 1, 'the pod knows better');
  await made.client.create(serviceAccounts, { metadata: { namespace: 'default', name: 'robot' } });
  const robot = { serviceAccountName: 'robot' };
  t.equal(await mounts('robot', robot), 1);
  t.equal(await mounts('no', { ...robot, automountServiceAccountToken: false }), 0);
});

t.test('an account that is not there', async (t) => {
  const made = await bed(t);
  await t.rejects(create(made, { serviceAccountName: 'nobody' }), {
    reason: 'Forbidden',
    message:
      'pods "web" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
  });
  const generated = { name: undefined, generateName: 'web-' };
  await t.rejects(create(made, { serviceAccountName: 'nobody' }, generated), /^pods "web-" is forbidden/);

  const idle = made.clock.pending;
  const late = create(made);
  await settle(() => made.clock.pending > idle);
  await made.client.create(serviceAccounts, { metadata: { namespace: 'default', name: 'default' } });
  t.equal((await late).spec?.serviceAccountName, 'default', 'waits for the default one');
  t.equal(made.clock.pending, idle);

  const empty = await bed(t);
  const never = create(empty).catch((error: unknown) => error);
  await settle(() => empty.clock.pending > idle);
  await empty.clock.advance(1_500);
  t.ok(isReason(await never, 'Forbidden'), 'but not for ever');
});

t.test('mirror pods stay as they are', async (t) => {
  const made = await bed(t, {});
  const mirror = await create(
    made,
    { nodeName: 'n' },
    { annotations: { 'kubernetes.io/config.mirror': 'x' } },
  );
  t.notOk(mirror.spec?.serviceAccountName);
  t.notOk(mirror.spec?.volumes);
});

t.test('an account may limit the Secrets of its pods', async (t) => {
  const made = await bed(t, {
    metadata: {
      namespace: 'default',
      name: 'default',
      annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' },
    },
    secrets: [{ name: 'mine' }],
    imagePullSecrets: [{ name: 'pull' }],
  });
  const because = 'is not allowed because service account default does not reference that';
  const variable = (name: string) => ({ name: 'V', valueFrom: { secretKeyRef: { name, key: 'k' } } });
  const cases: [Partial<PodSpec>, string][] = [
    [
      { volumes: [{ name: 'v', secret: { secretName: 'x' } }] },
      `volume with secret.secretName="x" ${because} secret`,
    ],
    [
      { containers: [{ ...container, env: [variable('mine'), variable('x')] }] },
      `container app with envVar V referencing secret.secretName="x" ${because} secret`,
    ],
    [
      { initContainers: [{ ...container, name: 'i', envFrom: [{ secretRef: { name: 'x' } }] }] },
      `init container i with envFrom referencing secret.secretName="x" ${because} secret`,
    ],
    [{ imagePullSecrets: [{ name: 'x' }] }, `imagePullSecrets[0].name="x" ${because} imagePullSecret`],
  ];
  for (const [spec, why] of cases)
    await t.rejects(create(made, spec), { message: `pods "web" is forbidden: ${why}` });
  await create(made, { containers: [{ ...container, env: [variable('mine')] }] });

  const ref = { namespace: 'default', name: 'web' };
  const debug = { name: 'debug', image: 'busybox', env: [variable('x')] };
  const patch = { type: 'strategic' as const, body: { spec: { ephemeralContainers: [debug] } } };
  await t.rejects(
    made.client.patch(pods, ref, patch, { subresource: 'ephemeralcontainers' }),
    /ephemeral container debug with envVar V referencing secret.secretName="x" is not allowed/,
  );
});
