/** Every file under `examples/` does what its comment says: posted by curl, applied by kubectl. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { runChecked } from '../src/host/exec.js';
import { startCluster } from './cluster.js';
import { eventually } from './wait.js';

const examples = fileURLToPath(new URL('../../examples/', import.meta.url));

t.test('examples', { timeout: 600_000 }, async (t) => {
  const cluster = await startCluster({ name: 'examples' });
  t.teardown(() => cluster.stop());
  const ready = (name: string): Promise<string> =>
    cluster.kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=60s');
  const inside = (pod: string, command: string): Promise<string> =>
    cluster.kubectl('exec', pod, '--', 'sh', '-c', command);

  const withPods = [
    'nginx.yaml',
    'nginx-pod.json',
    'post-pod.sh',
    'probes.yaml',
    'configmap.yaml',
    'volumes.yaml',
  ];
  const tested = [...withPods, 'storage.yaml', 'ingress.yaml'];
  t.same(readdirSync(examples).sort(), tested.sort(), 'no example is without a test');

  await t.test('nginx.yaml: two pods behind a NodePort', async (t) => {
    await cluster.kubectl('apply', '-f', `${examples}nginx.yaml`);
    await cluster.kubectl('rollout', 'status', 'deployment/nginx', '--timeout=60s');
    await eventually('the page', 60, async () =>
      /Welcome to nginx/.test(await (await fetch(`http://${cluster.nodeIp}:30080`)).text()),
    );
    t.match(
      await cluster.kubectl('apply', '-f', `${examples}nginx.yaml`),
      /deployment.apps\/nginx unchanged\nservice\/nginx unchanged/,
    );
  });

  await t.test('nginx-pod.json, posted with curl', async (t) => {
    const posted = await runChecked(`${examples}post-pod.sh`, [`https://${cluster.nodeIp}:6443`], {
      env: { WHERRY_DATA_DIR: cluster.dir },
    });
    t.match(JSON.parse(posted.stdout), { kind: 'Pod', metadata: { name: 'nginx-by-curl' } });
    await ready('nginx-by-curl');
    const ip = await cluster.kubectl('get', 'pod', 'nginx-by-curl', '-o', 'jsonpath={.status.podIP}');
    // That it is ready says nothing of its server: it has no probe.
    await eventually('its page', 60, async () =>
      /Welcome to nginx/.test(await (await fetch(`http://${ip}`)).text()),
    );
  });

  await t.test('probes.yaml: restarted when its liveness probe fails', async (t) => {
    await cluster.kubectl('apply', '-f', `${examples}probes.yaml`);
    await ready('probes');
    const restarts = async (): Promise<number> =>
      Number(
        await cluster.kubectl(
          'get',
          'pod',
          'probes',
          '-o',
          'jsonpath={.status.containerStatuses[0].restartCount}',
        ),
      );
    const before = await restarts();
    await inside('probes', 'rm /tmp/healthy');
    await eventually('a restart', 90, async () => (await restarts()) > before);
    t.match(await ready('probes'), /condition met/);
  });

  await t.test('volumes.yaml: shared between containers, and kept on the node', async (t) => {
    t.teardown(() => rmSync('/var/lib/wherry-example', { recursive: true, force: true }));
    await cluster.kubectl('apply', '-f', `${examples}volumes.yaml`);
    await ready('volumes');
    const reader = ['exec', 'volumes', '-c', 'reader', '--'];
    await eventually(
      'the files',
      60,
      async () =>
        /shared/.test(await cluster.kubectl(...reader, 'cat', '/cache/hello')) &&
        readFileSync('/var/lib/wherry-example/hello', 'utf8') === 'kept\n',
    );
    await t.rejects(cluster.kubectl(...reader, 'touch', '/cache/x'), /Read-only/);
  });

  await t.test('storage.yaml and ingress.yaml: stored and shown', async (t) => {
    await cluster.kubectl('apply', '-f', `${examples}storage.yaml`, '-f', `${examples}ingress.yaml`);
    await eventually('the claim is bound', 60, async () =>
      /nfs +Bound +nfs +10Gi +RWO/.test(await cluster.kubectl('get', 'pvc')),
    );
    t.match(await cluster.kubectl('get', 'pv'), /nfs +10Gi +RWO +Retain +Bound +default\/nfs/);
    t.match(await cluster.kubectl('get', 'storageclass'), /fast +kubernetes.io\/aws-ebs +Delete +Immediate/);
    t.match(
      await cluster.kubectl('describe', 'ingress', 'nginx'),
      /Default backend: +nginx:80[\s\S]*\/user +nginx:80/,
    );
    t.equal(
      await cluster.kubectl('get', 'ingress', 'nginx', '-o', 'jsonpath={.apiVersion}'),
      'networking.k8s.io/v1',
    );
  });

  await t.test('configmap.yaml: a page that changes while it is served', async () => {
    await cluster.kubectl('apply', '-f', `${examples}configmap.yaml`);
    await ready('configmap');
    await eventually('the page', 60, async () =>
      /^hello\n<h1>Served from a ConfigMap<\/h1>/.test(
        await inside('configmap', 'echo $GREETING; wget -qO- http://127.0.0.1/'),
      ),
    );
    await cluster.kubectl('patch', 'configmap', 'page', '-p', '{"data":{"index.html":"changed"}}');
    await eventually(
      'the new page',
      60,
      async () => (await inside('configmap', 'wget -qO- http://127.0.0.1/')) === 'changed',
    );
  });
});
