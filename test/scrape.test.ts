import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { joinCluster } from '../agent/node/bootstrap.js';
import { FakeRuntime } from '../agent/runtime/fake.js';
import { createAccess } from '../agent/server/access.js';
import { createAgentServer } from '../agent/server/server.js';
import { get } from '../agent/server/testing.js';
import { createBootstrapToken } from '../master/auth/token.js';
import { createMaster } from '../master/main.js';
import { testOptions, tokenOf } from '../master/testing.js';
import { clusterRoleBindings, clusterRoles, serviceAccounts } from '../src/api/kinds.js';
import { loadKubeconfig } from '../src/client/kubeconfig.js';
import { createRestClient } from '../src/client/rest.js';
import { systemClock } from '../src/host/clock.js';
import { silentLogger as log } from '../src/host/log.js';

const clock = systemClock;
const { signal } = new AbortController();

t.test('a service account with nodes/metrics may scrape, and may nothing else', async (t) => {
  const dir = await mkdtemp(join(tmpdir(), 'wherry-scrape-'));
  t.teardown(() => rm(dir, { recursive: true }));
  const options = await testOptions(dir, { advertiseAddress: '127.0.0.1' });
  const master = createMaster(options, { clock, log });
  await master.start(signal);
  t.teardown(() => master.stop());
  const admin = await loadKubeconfig(options.adminKubeconfig);
  const client = createRestClient({ ...admin, server: master.url() });
  t.teardown(() => client.close());

  const credentials = await joinCluster({
    server: master.url(),
    token: await createBootstrapToken(client, { ca: admin.ca ?? '', ttlMs: 600_000 }),
    nodeName: 'n1',
    nodeIps: ['127.0.0.1'],
    pkiDir: join(dir, 'agent-pki'),
    signal,
    log,
  });
  const nodeClient = createRestClient({
    server: master.url(),
    credentials: () => ({ ca: credentials.ca, ...credentials.client }),
  });
  t.teardown(() => nodeClient.close());
  const server = createAgentServer({
    port: 0,
    address: '127.0.0.1',
    tls: {
      key: () => credentials.serving.key,
      cert: () => credentials.serving.cert,
      clientCa: () => credentials.ca,
    },
    access: createAccess({ nodeName: 'n1', client: nodeClient, clock, log }),
    lookup: { containerId: () => undefined, pods: () => [] },
    pages: new Map([['/metrics/cadvisor', () => ({ contentType: 'text/plain', body: 'up 1\n' })]]),
    runtime: new FakeRuntime(),
    log,
  });
  await server.start(signal);
  t.teardown(() => server.stop());

  const grant = (name: string, resources: string[], account: string): Promise<unknown> =>
    Promise.all([
      client.create(clusterRoles, {
        metadata: { name },
        rules: [{ apiGroups: [''], resources, verbs: ['get'] }],
      }),
      client.create(clusterRoleBindings, {
        metadata: { name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
        subjects: [{ kind: 'ServiceAccount', namespace: 'default', name: account }],
      }),
    ]);
  for (const name of ['prometheus', 'health'])
    await client.create(serviceAccounts, { metadata: { namespace: 'default', name } });
  await grant('scrape', ['nodes/metrics'], 'prometheus');
  await grant('health', ['nodes/healthz'], 'health');

  const ca = await readFile(join(dir, 'master/pki/kubelet-serving-ca.crt'), 'utf8');
  const as = async (account: string) => {
    const headers = {
      authorization: `Bearer ${await tokenOf(client, { namespace: 'default', name: account })}`,
    };
    return async (path: string) => (await get({ port: server.port, ca, headers }, path)).code;
  };
  const prometheus = await as('prometheus');
  t.equal(await prometheus('/metrics/cadvisor'), 200);
  for (const path of ['/pods', '/stats/summary', '/logs/', '/healthz', '/exec/default/web/main?command=id'])
    t.equal(await prometheus(path), 403, path);
  const health = await as('health');
  t.equal(await health('/healthz'), 200, 'the fine-grained subresource');
  t.equal(await health('/metrics/cadvisor'), 403);
  const nobody = await as('default');
  t.equal(await nobody('/metrics/cadvisor'), 403);
  const access = { port: server.port, ca };
  t.equal((await get({ ...access, headers: { authorization: 'Bearer made.up.one' } }, '/metrics')).code, 401);
  t.equal((await get({ ...access, identity: credentials.client }, '/pods')).code, 403, 'another node');

  await master.stop();
  t.equal(await prometheus('/metrics/cadvisor'), 200, 'an answer holds while the master is away');
  t.equal(await nobody('/metrics/cadvisor'), 403);
});
