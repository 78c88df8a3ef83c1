/**
 * `@kubernetes/client-node`, unmodified: typed CRUD, every type of patch, watches, and an informer whose connections are cut
 * again and again and that misses nothing.
 */
import { connect, createServer, type Socket } from 'node:net';
import * as k8s from '@kubernetes/client-node';
import t from 'tap';
import { type ConformanceServer, createConformanceServer } from './testing.js';

let server: ConformanceServer;
const connections = new Set<Socket>();
/** Between client and server: what is cut here looks like a broken network. */
const proxy = createServer((socket) => {
  const { port } = new URL(server.api.url);
  const onward = connect(Number(port), '127.0.0.1');
  connections.add(socket);
  for (const end of [socket, onward]) {
    end.on('error', () => undefined);
    end.on('close', () => {
      socket.destroy();
      onward.destroy();
      connections.delete(socket);
    });
  }
  socket.pipe(onward).pipe(socket);
});
const cut = (): void => {
  for (const socket of connections) socket.destroy();
};

function configOf(url: string): k8s.KubeConfig {
  const config = new k8s.KubeConfig();
  const caData = Buffer.from(server.api.certificates.ca).toString('base64');
  config.loadFromClusterAndUser(
    { name: 'test', server: url, caData, skipTLSVerify: false },
    { name: 'admin', token: 'admin-token' },
  );
  return config;
}

t.before(async () => {
  server = await createConformanceServer();
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
});
t.teardown(async () => {
  cut();
  proxy.close();
  await server.stop();
});

const namespace = 'default';

t.test('CRUD and patches', async (t) => {
  const config = configOf(server.api.url);
  const core = config.makeApiClient(k8s.CoreV1Api);
  const apps = config.makeApiClient(k8s.AppsV1Api);
  const made = await core.createNamespacedConfigMap({
    namespace,
    body: { metadata: { name: 'a' }, data: { a: '1' } },
  });
  t.type(made.metadata?.creationTimestamp, Date);
  made.data = { a: '2' };
  t.same((await core.replaceNamespacedConfigMap({ namespace, name: 'a', body: made })).data, { a: '2' });
  await t.rejects(core.replaceNamespacedConfigMap({ namespace, name: 'a', body: made }), { code: 409 });
  t.equal((await core.listNamespacedConfigMap({ namespace, limit: 1 })).items.length, 1);
  const patches: [string, unknown][] = [
    [k8s.PatchStrategy.JsonPatch, [{ op: 'add', path: '/data/json', value: 'x' }]],
    [k8s.PatchStrategy.MergePatch, { data: { merge: 'x' } }],
    [k8s.PatchStrategy.StrategicMergePatch, { data: { strategic: 'x' } }],
    [
      k8s.PatchStrategy.ServerSideApply,
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data: { apply: 'x' } },
    ],
  ];
  for (const [strategy, body] of patches) {
    const request = {
      namespace,
      name: 'a',
      body,
      fieldManager: 'test',
      force: strategy === k8s.PatchStrategy.ServerSideApply,
    };
    const given = strategy === k8s.PatchStrategy.ServerSideApply ? request : { namespace, name: 'a', body };
    await core.patchNamespacedConfigMap(given, k8s.setHeaderOptions('Content-Type', strategy));
  }
  const { data } = await core.readNamespacedConfigMap({ namespace, name: 'a' });
  t.same(data, { a: '2', json: 'x', merge: 'x', strategic: 'x', apply: 'x' });
  const labels = { a: 'b' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  await apps.createNamespacedDeployment({
    namespace,
    body: { metadata: { name: 'd' }, spec: { selector: { matchLabels: labels }, template } },
  });
  const scale = await apps.readNamespacedDeploymentScale({ namespace, name: 'd' });
  scale.spec = { replicas: 4 };
  t.equal(
    (await apps.replaceNamespacedDeploymentScale({ namespace, name: 'd', body: scale })).spec?.replicas,
    4,
  );
  t.equal((await core.deleteNamespacedConfigMap({ namespace, name: 'a' })).status, 'Success');
  await t.rejects(core.readNamespacedConfigMap({ namespace, name: 'a' }), { code: 404 });
  const objects = k8s.KubernetesObjectApi.makeApiClient(config);
  const secret = await objects.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', namespace },
  });
  t.equal(secret.kind, 'Secret');
});

t.test('an informer over cut connections misses nothing', async (t) => {
  const { port } = proxy.address() as { port: number };
  const config = configOf(`https://127.0.0.1:${port}`);
  const core = config.makeApiClient(k8s.CoreV1Api);
  const direct = configOf(server.api.url).makeApiClient(k8s.CoreV1Api);
  const informer = k8s.makeInformer(config, `/api/v1/namespaces/${namespace}/configmaps`, () =>
    core.listNamespacedConfigMap({ namespace }),
  );
  const present = new Map<string, string>();
  const note = ({ metadata, data }: k8s.V1ConfigMap): unknown =>
    present.set(metadata?.name ?? '', data?.['n'] ?? '');
  informer.on('add', note);
  informer.on('update', note);
  informer.on('delete', ({ metadata }: k8s.V1ConfigMap) => present.delete(metadata?.name ?? ''));
  let ended = false;
  informer.on('error', () => {
    if (!ended) setTimeout(() => void informer.start(), 5);
  });
  await informer.start();
  const wanted = new Map<string, string>();
  for (let n = 0; n < 60; n++) {
    const name = `i-${n % 15}`;
    const body = { metadata: { name }, data: { n: String(n) } };
    if (!wanted.has(name)) await direct.createNamespacedConfigMap({ namespace, body });
    else if (n % 4 === 0) await direct.deleteNamespacedConfigMap({ namespace, name });
    else await direct.replaceNamespacedConfigMap({ namespace, name, body });
    if (wanted.has(name) && n % 4 === 0) wanted.delete(name);
    else wanted.set(name, String(n));
    if (n % 6 === 0) cut();
  }
  const sorted = (map: Map<string, string>): string[] => [...map].map(String).sort();
  for (let waited = 0; waited < 2000 && String(sorted(present)) !== String(sorted(wanted)); waited++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  t.same(sorted(present), sorted(wanted));
  ended = true;
  await informer.stop();
});
