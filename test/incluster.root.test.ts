/**
 * A program in a pod talks to the API as users of Kubernetes write it: `@kubernetes/client-node` finds address, authority
 * and token by itself. Its role decides what it sees; its token is renewed on disk, and ends with the pod. The program
 * runs by this machine's Node, which the pod sees through hostPath volumes.
 */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Agent, fetch } from 'undici';
import { configMaps, pods, roleBindings, roles } from '../src/api/kinds.js';
import type { Pod, Volume, VolumeMount } from '../src/api/types.js';
import { type Cluster, startCluster } from './cluster.js';
import { createFakeTime } from './faults/faketime.js';
import { isReady } from './faults/steps.js';
import { eventually } from './wait.js';

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
const tokenFile = '/var/run/secrets/kubernetes.io/serviceaccount/token';

const program = `
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { readFileSync } from 'node:fs';
import { get } from 'node:https';
const config = new KubeConfig();
config.loadFromCluster();
const api = config.makeApiClient(CoreV1Api);
const namespace = 'default';
const { items } = await api.listNamespacedPod({ namespace });
console.log('pods', items.map(({ metadata }) => metadata.name).join());
try {
  await api.listNamespacedSecret({ namespace });
} catch (error) {
  console.log('secrets', error.code, JSON.parse(error.body).message);
}
const directory = '/var/run/secrets/kubernetes.io/serviceaccount/';
const ca = readFileSync(directory + 'ca.crt');
const headers = { authorization: 'Bearer ' + readFileSync(directory + 'token', 'utf8') };
get('https://kubernetes.default/api/v1/namespaces/default/pods', { ca, headers }, (answer) => {
  console.log('by name', answer.statusCode);
  answer.resume();
});
setInterval(() => undefined, 1000);
`;

/** What the program needs of the host, at the same place. */
const hostPaths = ['/lib', '/lib64', '/usr/lib', dirname(process.execPath)].filter((path) =>
  existsSync(path),
);

function client(name: string): Pod {
  const shown = [
    ...hostPaths.map((path) => ({ path, at: path })),
    { path: modules, at: '/app/node_modules' },
  ];
  const volumes: Volume[] = shown.map(({ path }, index) => ({ name: `host-${index}`, hostPath: { path } }));
  const volumeMounts: VolumeMount[] = shown.map(({ at }, index) => ({
    name: `host-${index}`,
    mountPath: at,
    readOnly: true,
  }));
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      terminationGracePeriodSeconds: 0,
      volumes: [...volumes, { name: 'program', configMap: { name: 'program' } }, shortToken],
      containers: [
        {
          name: 'main',
          image: 'busybox',
          imagePullPolicy: 'IfNotPresent',
          command: [process.execPath, '/app/program/main.mjs'],
          volumeMounts: [
            ...volumeMounts,
            { name: 'program', mountPath: '/app/program' },
            { name: 'short', mountPath: '/short' },
          ],
        },
      ],
    },
  };
}

/** The shortest life there is: ten minutes, renewed after eight. */
const shortToken: Volume = {
  name: 'short',
  projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 600 } }] },
};

async function prepare({ client: api }: Cluster): Promise<void> {
  const namespace = 'default';
  await api.create(configMaps, { metadata: { name: 'program', namespace }, data: { 'main.mjs': program } });
  await api.create(roles, {
    metadata: { name: 'reader', namespace },
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }],
  });
  await api.create(roleBindings, {
    metadata: { name: 'reader', namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
    subjects: [{ kind: 'ServiceAccount', name: 'default', namespace }],
  });
}

t.test('a program in a pod talks to the API', { timeout: 600_000 }, async (t) => {
  const time = await createFakeTime();
  t.teardown(time.remove);
  const cluster = await startCluster({ name: 'incluster', env: { agent: time.env } });
  t.teardown(() => cluster.stop());
  await prepare(cluster);
  const ref = { namespace: 'default', name: 'program' };
  await cluster.client.create(pods, client(ref.name));
  await eventually('the pod', 60, async () => isReady(await cluster.client.get(pods, ref)));
  const logs = (): Promise<string> => cluster.kubectl('logs', ref.name);
  await eventually('it has asked', 60, async () => (await logs()).includes('by name'));
  t.equal(
    await logs(),
    'pods program\n' +
      'secrets 403 secrets is forbidden: User "system:serviceaccount:default:default" cannot list resource "secrets" in API group "" in the namespace "default"\n' +
      'by name 200\n',
  );

  const read = async (path: string): Promise<string> =>
    cluster.kubectl('exec', ref.name, '--', '/bin/busybox', 'cat', path);
  const first = await read('/short/token');
  t.equal(await read('/short/token'), first);
  time.setOffset('+540');
  await eventually('a new token on disk, before the old one expires', 240, async () => {
    return (await read('/short/token')) !== first;
  });
  time.setOffset('+0');

  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } });
  t.teardown(() => dispatcher.close());
  const url = `https://${cluster.nodeIp}:6443/api/v1/namespaces/default/pods`;
  const tokens = [first, await read('/short/token'), await read(tokenFile)];
  const answers = (): Promise<number[]> =>
    Promise.all(
      tokens.map(async (token) => {
        const answer = await fetch(url, { dispatcher, headers: { authorization: `Bearer ${token}` } });
        await answer.text();
        return answer.status;
      }),
    );
  t.same(await answers(), [200, 200, 200]);
  await cluster.client.delete(pods, ref);
  const afterMs = await eventually('no token of the pod is good any more', 30, async () =>
    (await answers()).every((code) => code === 401),
  );
  t.comment(`refused ${Math.round(afterMs)} ms after the deletion`);
});
