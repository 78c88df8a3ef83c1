/**
 * Certificates that live for two minutes are renewed under load, and the authority is replaced meanwhile: no request fails,
 * no stream breaks, nothing restarts. Six minutes of it; `WHERRY_CERTIFICATES_MINUTES=60` for an hour.
 */
import { X509Certificate } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { stringify } from 'yaml';
import { isConditionTrue } from '../src/api/meta.js';
import type { Pod } from '../src/api/types.js';
import { systemClock } from '../src/host/clock.js';
import { runChecked } from '../src/host/exec.js';
import { pemBlocks } from '../src/host/pem.js';
import { agentFigure, fileOf, loadPod, startLoad } from './certificateload.js';
import { type Cluster, startCluster } from './cluster.js';
import { eventually } from './wait.js';

const cli = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));
const inPod = '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt';
const minutes = Number(process.env['WHERRY_CERTIFICATES_MINUTES'] ?? 6);
const watched = [
  'master/pki/server.crt',
  'master/pki/kubelet-client.crt',
  'master/pki/front-proxy-client.crt',
  'master/pki/admin.crt',
  'agent/pki/client.pem',
  'agent/pki/serving.pem',
];

const speaker: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: loadPod },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'main',
        image: 'busybox',
        imagePullPolicy: 'IfNotPresent',
        command: ['sh', '-c', 'while sleep 1; do date; done'],
      },
    ],
  },
};

t.test(`${minutes} minutes of short certificates`, { timeout: (minutes + 4) * 60_000 }, async (t) => {
  const daemon = process.env['DOCKER_HOST'];
  const cluster = await startCluster({
    name: `certs${minutes}`,
    master: { 'certificate-lifetime': '2m' },
    ...(daemon && { agent: { 'runtime-endpoint': daemon } }),
  });
  t.teardown(() => cluster.stop());
  const applied = await cluster.tryKubectl(['apply', '-f', '-'], stringify(speaker));
  t.equal(applied.code, 0, applied.stderr);
  await cluster.kubectl('wait', '--for=condition=Ready', `pod/${loadPod}`, '--timeout=60s');
  const pids = [cluster.pid('master'), cluster.pid('agent')];
  const load = await startLoad(cluster);
  const rotated = runChecked(
    process.execPath,
    [cli, 'certs', 'rotate-ca', '--kubeconfig', cluster.kubeconfig],
    { timeoutMs: 330_000 },
  );
  const [authority] = authorities(cluster);
  const used = new Map(watched.map((path) => [path, new Set<string>()]));
  const until = systemClock.monotonicMs() + minutes * 60_000;
  let looks = 0;
  while (systemClock.monotonicMs() < until) {
    for (const [path, serials] of used) {
      const certificate = new X509Certificate(fileOf(cluster, path));
      serials.add(certificate.serialNumber);
      if (Date.parse(certificate.validTo) < Date.now()) t.fail(`${path} has expired`);
    }
    if (!(await isReady(cluster))) t.fail(`${new Date().toISOString()}: the node is not Ready`);
    if (looks++ % 12 === 0) t.comment(`${new Date().toISOString()} ${JSON.stringify(load.counts)}`);
    await systemClock.sleep(5_000, new AbortController().signal);
  }
  t.match((await rotated).stdout, /step 1 of 3.*\n.*step 2 of 3.*\n.*done/s);
  await load.stop();
  t.comment(JSON.stringify(load.counts));
  t.same(load.failures, [], 'nothing failed');
  for (const [path, serials] of used)
    t.ok(serials.size >= Math.floor(minutes / 2.3), `${path}: ${serials.size} certificates`);
  await eventually('only the new authority is trusted', 60, () => authorities(cluster).length === 1);
  t.not(authorities(cluster)[0], authority);
  await eventually('by pods too', 90, async () => {
    const mounted = await cluster.kubectl('exec', loadPod, '--', 'cat', inPod);
    return pemBlocks(mounted, 'CERTIFICATE').join() === authorities(cluster).join();
  });
  t.equal(await agentFigure(cluster, 'kubelet_server_expiration_renew_errors'), 0);
  t.equal(await agentFigure(cluster, 'kubelet_certificate_manager_client_expiration_renew_errors'), 0);
  t.same([cluster.pid('master'), cluster.pid('agent')], pids);
  const pod = await statusOf(cluster, loadPod);
  t.match(pod, /"restartCount":0/);
});

/** Those that the agent trusts. */
const authorities = (cluster: Cluster): string[] =>
  pemBlocks(fileOf(cluster, 'agent/pki/ca.crt'), 'CERTIFICATE');

const isReady = async (cluster: Cluster): Promise<boolean> => {
  const node = JSON.parse(await cluster.kubectl('get', 'node', cluster.nodeName, '-o', 'json'));
  return isConditionTrue(node.status?.conditions, 'Ready');
};

const statusOf = (cluster: Cluster, name: string): Promise<string> =>
  cluster.kubectl('get', 'pod', name, '-o', 'jsonpath={.status}');
