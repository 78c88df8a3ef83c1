/** Three hosts, each with its own Docker, packet filter and agent: what only more than one host can show. */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { labHosts } from '../lab/layout.js';
import { type ExecResult, run, runChecked } from '../src/host/exec.js';
import { eventually } from './wait.js';

const main = fileURLToPath(new URL('../lab/main.js', import.meta.url));
const lab = (args: readonly string[], timeoutMs = 60_000): Promise<ExecResult> =>
  run(process.execPath, [main, ...args], { timeoutMs });

async function kubectl(...args: string[]): Promise<string> {
  const result = await lab(['kubectl', ...args], 180_000);
  if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr}`);
  return result.stdout;
}

/** A page that says which pod on which node served it. */
const manifest = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      tolerations:
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 5}
      - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 5}
      containers:
      - name: web
        image: nginx
        imagePullPolicy: IfNotPresent
        command: [sh, -c, 'hostname > /usr/share/nginx/html/index.html; exec nginx -g "daemon off;"']
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80, nodePort: 30090}]
`;

/** tap gives a subtest 30 s by default. */
const timeout = 300_000;

interface PodRow {
  name: string;
  ip: string;
  node: string;
}

async function podRows(): Promise<PodRow[]> {
  const template =
    '{range .items[*]}{.metadata.name} {.status.podIP} {.spec.nodeName} {.metadata.deletionTimestamp}|{end}';
  const text = await kubectl('get', 'pods', '-l', 'app=web', '-o', `jsonpath=${template}`);
  return text.split('|').flatMap((line) => {
    const [name, ip, node, deleted] = line.split(' ');
    return name && ip && node && !deleted ? [{ name, ip, node }] : [];
  });
}

/** What is served, once it is: rules are written a moment after what they are about has changed. */
async function get(from: string, url: string): Promise<string> {
  let text = '';
  await eventually(`${from} fetches ${url}`, 60, async () => {
    const result = await lab(['exec', from, 'curl', '-sf', '-m', '3', url]);
    if (result.code !== 0) throw new Error(`curl ${result.code}`);
    text = result.stdout.trim();
    return true;
  });
  return text;
}

t.test('three hosts', { timeout: 900_000 }, async (t) => {
  const hosts = labHosts(3);
  t.teardown(() => lab(['down'], 120_000));
  await lab(['down'], 120_000);
  await runChecked(
    process.execPath,
    [main, 'up', '--nodes', '3', '--master-flags', 'node-monitor-grace-period=10s'],
    { timeoutMs: 400_000 },
  );

  const applied = await run(process.execPath, [main, 'kubectl', 'apply', '-f', '-'], { input: manifest });
  t.equal(applied.code, 0, applied.stderr);
  await kubectl('rollout', 'status', 'deployment/web', '--timeout=120s');
  const rows = await podRows();
  t.same(new Set(rows.map((row) => row.node)).size, 3, 'the pods are spread over three hosts');
  const clusterIp = await kubectl('get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}');

  await t.test('pods reach each other by their addresses, without NAT', { timeout }, async () => {
    const [client] = rows;
    const far = rows.find((row) => row.node !== client?.node);
    if (!client || !far) throw new Error('no two pods on two hosts');
    await eventually('an answer', 60, async () =>
      (
        await kubectl('exec', client.name, '--', 'timeout', '3', 'wget', '-qO-', `http://${far.ip}/`)
      ).includes(far.name),
    );
    const line = new RegExp(`^${client.ip.replaceAll('.', '\\.')} `, 'm');
    await eventually('the far pod sees the address of the near one', 30, async () =>
      line.test(await kubectl('logs', far.name, '--tail=100')),
    );
  });

  await t.test(
    'every host and every pod reaches the ClusterIP, every host answers on the NodePort',
    async (t) => {
      for (const host of hosts)
        t.ok(await get(host.name, `http://${clusterIp}/`), `${host.name} reaches the ClusterIP`);
      for (const row of rows)
        await eventually(`${row.name} reaches the ClusterIP`, 60, async () =>
          Boolean(
            await kubectl('exec', row.name, '--', 'timeout', '3', 'wget', '-qO-', `http://${clusterIp}/`),
          ),
        );
      for (const host of hosts)
        t.ok(await get('outside', `http://${host.address}:30090/`), `${host.name} answers on the NodePort`);
      const served = new Set<string>();
      for (let count = 0; count < 200 && served.size < rows.length; count++)
        served.add(await get('outside', `http://${hosts[0]?.address}:30090/`));
      t.equal(served.size, rows.length, 'traffic is spread over all endpoints');
    },
  );

  await t.test(
    'a host that dies is NotReady and its pods run elsewhere within a minute; it comes back clean',
    async (t) => {
      await lab(['kill', 'node-3']);
      await eventually('node-3 is NotReady', 90, async () =>
        /node-3\s+NotReady/.test(await kubectl('get', 'nodes')),
      );
      await eventually('six pods on the other hosts', 90, async () => {
        const ready = await kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.status.readyReplicas}');
        return ready === '6' && (await podRows()).filter((row) => row.node !== 'node-3').length === 6;
      });
      for (let count = 0; count < 10; count++)
        t.ok(await get('outside', `http://${hosts[0]?.address}:30090/`), 'the Service answers');
      await lab(['start', 'node-3']);
      await eventually('node-3 is Ready', 180, async () =>
        /node-3\s+Ready/.test(await kubectl('get', 'nodes')),
      );
      await eventually('nothing of the old pods is left on it', 120, async () => {
        const socket = hosts[2]?.dockerSocket ?? '';
        return (await runChecked('docker', ['-H', `unix://${socket}`, 'ps', '-aq'])).stdout.trim() === '';
      });
      t.ok(await get('outside', `http://${hosts[2]?.address}:30090/`), 'it answers on the NodePort again');
    },
  );

  await t.test('a network that is cut and healed', { timeout }, async (t) => {
    await lab(['cut', 'node-2']);
    await eventually('node-2 is NotReady', 90, async () =>
      /node-2\s+NotReady/.test(await kubectl('get', 'nodes')),
    );
    await lab(['heal', 'node-2']);
    await eventually('node-2 is Ready', 180, async () =>
      /node-2\s+Ready/.test(await kubectl('get', 'nodes')),
    );
    t.ok(await get('node-2', `http://${clusterIp}/`), 'it reaches the ClusterIP again');
  });
});
