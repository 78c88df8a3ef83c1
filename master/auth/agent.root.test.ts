/**
 * A real agent under the node authorizer: whatever its pods need it gets, at once and without one refusal; with its
 * certificate nobody gets more.
 */
import { join } from 'node:path';
import t from 'tap';
import { configMaps, pods, secrets } from '../../src/api/kinds.js';
import { isConditionTrue } from '../../src/api/meta.js';
import type { Pod } from '../../src/api/types.js';
import { startCluster } from '../../test/cluster.js';
import { eventually } from '../../test/wait.js';

const namespace = 'default';
const count = 20;

/** With a Secret and a ConfigMap of its own, and a token. */
const podOf = (name: string): Pod => ({
  metadata: { namespace, name },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'main',
        image: 'busybox',
        imagePullPolicy: 'IfNotPresent',
        command: ['sleep', '1000'],
        envFrom: [{ configMapRef: { name } }],
        volumeMounts: [{ name: 's', mountPath: '/s' }],
      },
    ],
    volumes: [{ name: 's', secret: { secretName: name } }],
  },
});

t.test('an agent and its certificate', { timeout: 600_000 }, async (t) => {
  const cluster = await startCluster({ name: 'nodeaccess' });
  t.teardown(() => cluster.stop());
  const { client } = cluster;
  /** Requests that were refused, one line per kind and verb. */
  const refusals = async (): Promise<string[]> => {
    const page = await cluster.kubectl('get', '--raw', '/metrics');
    return page.split('\n').filter((line) => /^apiserver_request_total\{.*code="403"/.test(line));
  };

  await t.test('many pods at once', { timeout: 500_000 }, async (t) => {
    const names = Array.from({ length: count }, (_, at) => `p${at}`);
    await Promise.all(
      names.map(async (name) => {
        const metadata = { namespace, name };
        await client.create(secrets, { metadata, stringData: { word: name } });
        await client.create(configMaps, { metadata, data: { WORD: name } });
        await client.create(pods, podOf(name));
      }),
    );
    const tookMs = await eventually('all pods are ready', 240, async () => {
      const { items } = await client.list(pods, { namespace });
      return items.filter(({ status }) => isConditionTrue(status?.conditions, 'Ready')).length === count;
    });
    t.comment(`${count} pods in ${Math.round(tookMs)} ms`);
    t.equal(await cluster.kubectl('exec', 'p7', '--', 'cat', '/s/word'), 'p7');
    t.match(
      await cluster.kubectl('exec', 'p7', '--', 'cat', '/var/run/secrets/kubernetes.io/serviceaccount/token'),
      /^ey/,
    );
    t.same(await refusals(), []);
    await client.patch(
      secrets,
      { namespace, name: 'p7' },
      { type: 'merge', body: { stringData: { word: 'new' } } },
    );
    await eventually('the Secret is new in the pod', 120, async () => {
      return (await cluster.kubectl('exec', 'p7', '--', 'cat', '/s/word')) === 'new';
    });
    await client.deleteCollection(pods, { namespace }, { gracePeriodSeconds: 0 });
    await eventually(
      'the pods are gone',
      120,
      async () => (await client.list(pods, { namespace })).items.length === 0,
    );
    t.same(await refusals(), []);
  });

  await t.test('what its certificate is good for', async (t) => {
    await client.create(secrets, { metadata: { namespace, name: 'alien' }, stringData: { a: 'b' } });
    const directory = join(cluster.dir, 'agent', 'pki');
    const pair = join(directory, 'client.pem');
    const flags = [
      '--kubeconfig=/dev/null',
      `--server=https://${cluster.nodeIp}:6443`,
      `--certificate-authority=${join(directory, 'ca.crt')}`,
      `--client-certificate=${pair}`,
      `--client-key=${pair}`,
    ];
    const asNode = (...args: string[]) => cluster.tryKubectl([...flags, ...args]);
    t.match(await asNode('auth', 'whoami'), { stdout: /system:node:nodeaccess-node/ });
    t.match(await asNode('get', 'secret', 'alien'), {
      code: 1,
      stderr: /no relationship found between node/,
    });
    t.match(await asNode('get', 'secrets', '-A'), { code: 1, stderr: /No Object name found/ });
    t.match(await asNode('label', 'node', 'nodeaccess-node', 'node-role.kubernetes.io/control-plane='), {
      code: 1,
      stderr: /is not allowed to modify labels: node-role.kubernetes.io\/control-plane/,
    });
    t.match(await asNode('label', 'node', 'nodeaccess-node', 'team=a'), { code: 0 });
  });
});
