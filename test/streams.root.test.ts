/**
 * What flows between a user and a pod, through stock kubectl (each that the environment names) and the JavaScript client:
 * exec, attach, cp, port-forward, logs and the proxies; and that nothing of it is left behind.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { Exec, KubeConfig, Log, PortForward } from '@kubernetes/client-node';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { stringify } from 'yaml';
import { run } from '../src/host/exec.js';
import { type Cluster, startCluster } from './cluster.js';
import { eventually } from './wait.js';

/** The distribution's, and others that the environment names, separated by colons: old ones speak SPDY. */
const kubectls = ['kubectl', ...(process.env['WHERRY_TEST_KUBECTLS'] ?? '').split(':')].filter(
  (path) => path !== '',
);

const patient = { timeout: 400_000 };

const image = { image: 'busybox', imagePullPolicy: 'IfNotPresent' } as const;
const site =
  'mkdir -p /www/sub; echo hello > /www/index.html; echo \'<a href="/abs">x</a>\' > /www/page.html;' +
  ' httpd -p 127.0.0.1:8081 -h /www; httpd -f -p 8080 -h /www';
const talk =
  'echo first; sleep 0.3; echo oops >&2; i=0; while [ ! -e /tmp/stop ]; do i=$((i+1)); echo line $i; sleep 0.1; done; exit 4';

const pod = (name: string, spec: object): object => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: name } },
  spec: { terminationGracePeriodSeconds: 1, ...spec },
});

const objects = [
  pod('web', {
    containers: [
      { ...image, name: 'main', command: ['sh', '-c', site], ports: [{ containerPort: 8080, name: 'http' }] },
    ],
  }),
  pod('talker', { containers: [{ ...image, name: 'main', command: ['sh', '-c', talk] }] }),
  pod('never', { containers: [{ name: 'main', image: '127.0.0.1:1/none:1' }] }),
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: {
      selector: { app: 'web' },
      ports: [
        { name: 'http', port: 80, targetPort: 'http' },
        { name: 'closed', port: 81, targetPort: 9 },
      ],
    },
  },
];

interface Ran {
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex');

/** How many of so many requests, all at once, were answered as they should. */
async function askMany(port: number, count: number): Promise<number> {
  const answers = Array.from(
    { length: count },
    () =>
      new Promise<string>((resolve, reject) => {
        get({ host: '127.0.0.1', port, agent: false }, (response) => {
          let text = '';
          response.on('data', (chunk: Buffer) => {
            text += chunk.toString();
          });
          response.on('end', () => resolve(text));
        }).on('error', reject);
      }),
  );
  return (await Promise.all(answers)).filter((text) => text === 'hello\n').length;
}

/** Process ids; of every parent, where none is named. Other tests run beside this one. */
async function helpers(parent?: number): Promise<string[]> {
  const ofParent = parent === undefined ? [] : ['--parent', String(parent)];
  return (await run('pgrep', [...ofParent, '--full', 'netns-helper'])).stdout.split('\n').filter(Boolean);
}

t.test('streams', { timeout: 1_100_000 }, async (t) => {
  const cluster: Cluster = await startCluster({ name: 'streams' });
  t.teardown(() => cluster.stop());
  const flags = ['--kubeconfig', cluster.kubeconfig];

  function begin(kubectl: string, args: readonly string[]): ChildProcess & { text(): string } {
    const child = spawn(kubectl, [...flags, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
    }
    child.stdin?.on('error', () => undefined);
    return Object.assign(child, { text: () => text });
  }
  async function call(kubectl: string, args: readonly string[], input?: Buffer | string): Promise<Ran> {
    const child = spawn(kubectl, [...flags, ...args], { stdio: ['pipe', 'pipe', 'pipe'], timeout: 120_000 });
    const stdout: Buffer[] = [];
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stdout: Buffer.concat(stdout), stderr };
  }
  const forwarding = async (
    kubectl: string,
    target: string,
    ports: readonly string[],
  ): Promise<ReturnType<typeof begin> & { ports: number[] }> => {
    const child = begin(kubectl, ['port-forward', target, ...ports]);
    const found = (): number[] =>
      [...child.text().matchAll(/127\.0\.0\.1:(\d+) ->/g)].map(([, port]) => Number(port));
    const isHere = (): boolean => found().length === ports.length;
    await eventually('the ports to be forwarded', 40, () => isHere() || child.exitCode !== null);
    if (!isHere()) throw new Error(child.text());
    return Object.assign(child, { ports: found() });
  };
  const applied = await call(
    'kubectl',
    ['apply', '-f', '-'],
    objects.map((object) => stringify(object)).join('---\n'),
  );
  t.equal(applied.code, 0, applied.stderr);
  await cluster.kubectl('wait', '--for=condition=Ready', 'pod/web', 'pod/talker', '--timeout=60s');

  for (const kubectl of kubectls) {
    await t.test(`exec, ${kubectl}`, patient, async (t) => {
      t.match(await call(kubectl, ['exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2']), {
        code: 0,
        stderr: 'err\n',
      });
      t.equal(
        (await call(kubectl, ['exec', '-i', 'web', '--', 'cat'], 'through')).stdout.toString(),
        'through',
      );
      const failed = await call(kubectl, ['exec', 'web', '--', 'sh', '-c', 'exit 7']);
      t.equal(failed.code, 7);
      t.match(failed.stderr, /command terminated with exit code 7/);
      const data = randomBytes(24 * 1024 * 1024);
      const there = await call(kubectl, ['exec', '-i', 'web', '--', 'md5sum'], data);
      t.match(there.stdout.toString(), md5(data), '24 MB in');
      const back = await call(kubectl, ['exec', '-i', 'web', '--', 'cat'], data);
      t.equal(md5(back.stdout), md5(data), 'and both ways at once');
      t.match(await call(kubectl, ['exec', 'web', '-c', 'none', '--', 'true']), {
        code: 1,
        stderr: /container none is not valid for pod web|container not found/,
      });
      t.match(await call(kubectl, ['exec', 'never', '--', 'true']), { code: 1, stderr: /./ });
      const unknown = await call(kubectl, ['exec', 'web', '--', '/no/such/program']);
      t.not(unknown.code, 0);
      t.match(unknown.stderr, /no such file|executable file not found|exit code 12[67]/);
    });

    await t.test(`exec and attach with a terminal, ${kubectl}`, patient, async (t) => {
      const command = `stty rows 31 cols 99; exec ${[kubectl, ...flags].join(' ')} exec -it web -- sh`;
      const terminal = spawn('script', ['-qec', command, '/dev/null'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      let text = '';
      terminal.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      await eventually('a prompt', 60, () => text.includes('#'));
      terminal.stdin.write('echo tty-$((40+2))\n');
      await eventually('an answer', 60, () => text.includes('tty-42'));
      // The size comes by a call of its own, perhaps after the start.
      await eventually('its size', 60, () => {
        terminal.stdin.write('stty size\n');
        return text.includes('31 99');
      });
      const closed = once(terminal, 'close');
      terminal.stdin.write('exit 3\n');
      const [code] = (await closed) as [number];
      t.equal(code, 3);

      const shell = {
        ...image,
        name: 'main',
        stdin: true,
        stdinOnce: true,
        command: ['sh', '-c', 'echo ready; cat; echo over'],
      };
      await call(
        kubectl,
        ['apply', '-f', '-'],
        stringify(pod('once', { restartPolicy: 'Never', containers: [shell] })),
      );
      await cluster.kubectl('wait', '--for=condition=Ready', 'pod/once', '--timeout=60s');
      const attached = await call(kubectl, ['attach', '-i', 'once'], 'typed\n');
      t.match(attached.stdout.toString(), /typed\nover\n/);
      t.equal((await call(kubectl, ['delete', 'pod', 'once'])).code, 0);
      const watching = begin(kubectl, ['attach', 'talker']);
      await eventually('output', 60, () => /line \d+\nline \d+\n/.test(watching.text()));
      watching.kill();
    });

    await t.test(`cp, ${kubectl}`, patient, async (t) => {
      const dir = join(cluster.dir, `cp-${kubectls.indexOf(kubectl)}`);
      mkdirSync(join(dir, 'tree/a/b'), { recursive: true });
      const data = randomBytes(20 * 1024 * 1024);
      writeFileSync(join(dir, 'file'), data);
      writeFileSync(join(dir, 'tree/a/b/leaf'), 'leaf');
      symlinkSync('leaf', join(dir, 'tree/a/b/link'));
      t.equal((await call(kubectl, ['cp', join(dir, 'file'), 'web:/tmp/file'])).code, 0);
      t.match(
        (await call(kubectl, ['exec', 'web', '--', 'md5sum', '/tmp/file'])).stdout.toString(),
        md5(data),
      );
      t.equal((await call(kubectl, ['cp', 'default/web:/tmp/file', join(dir, 'back')])).code, 0);
      t.equal(md5(readFileSync(join(dir, 'back'))), md5(data));
      t.equal((await call(kubectl, ['cp', join(dir, 'tree'), 'web:/tmp/tree'])).code, 0);
      t.equal(
        (await call(kubectl, ['exec', 'web', '--', 'cat', '/tmp/tree/a/b/link'])).stdout.toString(),
        'leaf',
      );
      await call(kubectl, ['exec', 'web', '--', 'rm', '-r', '/tmp/file', '/tmp/tree']);
    });

    await t.test(`port-forward, ${kubectl}`, patient, async (t) => {
      const child = await forwarding(kubectl, 'pod/web', [':8080', ':8081']);
      const [open = 0, loopback = 0] = child.ports;
      t.equal(await askMany(open, 200), 200, '200 requests at once');
      t.equal(await askMany(loopback, 200), 200, 'to a program that listens on loopback only');
      child.kill();
      const service = await forwarding(kubectl, 'service/web', [':80']);
      t.equal(await askMany(service.ports[0] ?? 0, 5), 5);
      service.kill();
      const closed = await forwarding(kubectl, 'pod/web', [':9']);
      await askMany(closed.ports[0] ?? 0, 1).catch(() => undefined);
      const words =
        /error forwarding port 9 to pod web, uid : failed to connect to localhost:9 inside .* connection refused/;
      await eventually('the reason', 60, () => words.test(closed.text()));
      closed.kill();
    });

    await t.test(`logs, ${kubectl}`, patient, async (t) => {
      const logs = async (...args: string[]): Promise<string> =>
        (await call(kubectl, ['logs', 'talker', ...args])).stdout.toString();
      t.match(await logs(), /^first\n[\s\S]*line 2\n/);
      t.equal((await logs('--tail=3')).trim().split('\n').length, 3);
      t.match(await logs('--tail=1', '--timestamps'), /^\d{4}-\d\d-\d\dT[\d:.]+Z line \d+\n$/);
      t.equal(await logs('--limit-bytes=4'), 'firs');
      const recent = (await logs('--since=1s')).trim().split('\n').length;
      // Those of the second, and those that came while it was asked.
      t.ok(recent < (await logs()).trim().split('\n').length, `${recent} lines in a second`);
      t.equal(await logs('--since-time=2100-01-01T00:00:00Z'), '');
      t.match(await call(kubectl, ['logs', 'talker', '--previous']), {
        code: 1,
        stderr: /previous terminated container "main" in pod "talker" not found/,
      });
      t.match(await call(kubectl, ['logs', '-f', 'never']), {
        code: 1,
        stderr: /container "main" in pod "never" is waiting to start: /,
      });
      t.match(await logs('--insecure-skip-tls-verify-backend'), /^first/);
      const followed = begin(kubectl, ['logs', '-f', 'talker', '--tail=1']);
      await eventually('new lines', 60, () => followed.text().split('\n').length > 5);
      followed.kill();
    });
  }

  await t.test('logs that follow end with the container, and can be read after it', patient, async (t) => {
    const followed = begin('kubectl', ['logs', '-f', 'talker']);
    await eventually('lines', 60, () => followed.text().includes('line'));
    const closed = once(followed, 'close');
    await cluster.kubectl('exec', 'talker', '--', 'touch', '/tmp/stop');
    const [code] = (await closed) as [number];
    t.equal(code, 0);
    await eventually(
      'a restart',
      60,
      async () =>
        (await cluster.kubectl(
          'get',
          'pod',
          'talker',
          '-o',
          'jsonpath={.status.containerStatuses[0].restartCount}',
        )) === '1',
    );
    t.match(await cluster.kubectl('logs', 'talker', '--previous'), /^first\n/);
    const log = '/api/v1/namespaces/default/pods/talker/log';
    const only = (stream: string): Promise<string> =>
      cluster.kubectl('get', '--raw', `${log}?stream=${stream}`);
    await eventually('what the new run says', 60, async () => (await only('Stderr')) === 'oops\n');
    t.notMatch(await only('Stdout'), /oops/);
    t.match(
      (await call('kubectl', ['get', '--raw', `${log}?stream=Both`])).stderr,
      /stream: Unsupported value: "Both"/,
    );
  });

  await t.test('the JavaScript client: exec, logs, port-forward', patient, async (t) => {
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    const out = new PassThrough();
    const input = new PassThrough();
    let printed = '';
    out.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
    });
    const status = new Promise<{ status?: string }>((resolve, reject) => {
      new Exec(config)
        .exec('default', 'web', 'main', ['sh', '-c', 'read x; echo got $x'], out, null, input, false, resolve)
        .catch(reject);
    });
    input.write('word\n');
    t.match(await status, { status: 'Success' });
    await eventually('what it printed', 20, () => printed === 'got word\n');

    const lines = new PassThrough();
    await new Log(config).log('default', 'web', 'main', lines, { follow: false, tailLines: 1 });
    const forward = new PortForward(config);
    const front = createServer((socket) => {
      forward.portForward('default', 'web', [8081], socket, null, socket).catch(() => socket.destroy());
    }).listen(0, '127.0.0.1');
    await once(front, 'listening');
    t.equal(await askMany((front.address() as AddressInfo).port, 20), 20);
    front.close();
  });

  await t.test('proxies', patient, async (t) => {
    const raw = (path: string): Promise<Ran> => call('kubectl', ['get', '--raw', path]);
    const namespace = '/api/v1/namespaces/default';
    t.equal((await raw(`${namespace}/pods/web:8080/proxy/`)).stdout.toString(), 'hello\n');
    t.equal((await raw(`${namespace}/pods/web/proxy/index.html`)).stdout.toString(), 'hello\n');
    t.equal((await raw(`${namespace}/services/web:http/proxy/`)).stdout.toString(), 'hello\n');
    t.equal((await raw(`${namespace}/services/http:web:80/proxy/`)).stdout.toString(), 'hello\n');
    t.equal(
      (await raw(`${namespace}/services/web:80/proxy/page.html`)).stdout.toString(),
      `<a href="${namespace}/services/web:80/proxy/abs">x</a>\n`,
    );
    t.match(
      (await raw(`${namespace}/services/web:closed/proxy/`)).stderr,
      /ServiceUnavailable.*error trying to reach service: dial tcp .*: connect: connection refused/,
    );
    t.match(
      (await raw(`${namespace}/services/web/proxy/`)).stderr,
      /no endpoints available for service "web"/,
    );
    t.match(
      (await raw(`${namespace}/services/https:kubernetes:https/proxy/version`)).stdout.toString(),
      /gitVersion/,
    );
    const node = `/api/v1/nodes/${cluster.nodeName}`;
    t.equal((await raw(`${node}/proxy/healthz`)).stdout.toString(), 'ok');
    t.match((await raw(`${node}:10250/proxy/pods`)).stdout.toString(), /"kind":"PodList"/);
    t.match((await raw(`${node}/proxy/nothing`)).stderr, /NotFound/);

    // An endpoint outside of the cluster, which speaks WebSocket.
    const echo = new WebSocketServer({ host: cluster.nodeIp, port: 0 });
    await once(echo, 'listening');
    echo.on('connection', (socket, request) => {
      socket.send(`${request.url} ${request.headers.authorization} ${request.headers['x-forwarded-uri']}`);
      socket.on('message', (data) => socket.send(data));
    });
    const { port } = echo.address() as AddressInfo;
    const outside = [
      { apiVersion: 'v1', kind: 'Service', metadata: { name: 'outside' }, spec: { ports: [{ port: 80 }] } },
      {
        apiVersion: 'v1',
        kind: 'Endpoints',
        metadata: { name: 'outside' },
        subsets: [{ addresses: [{ ip: cluster.nodeIp }], ports: [{ port }] }],
      },
    ];
    await call('kubectl', ['apply', '-f', '-'], outside.map((object) => stringify(object)).join('---\n'));
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    const tls: { ca?: Buffer; cert?: Buffer; key?: Buffer } = {};
    await config.applyToHTTPSOptions(tls as never);
    const path = `${namespace}/services/outside/proxy/socket?a=b`;
    const socket = new WebSocket(`wss://${cluster.nodeIp}:6443${path}`, {
      ...tls,
      headers: { authorization: '' },
    });
    const [greeting] = (await once(socket, 'message')) as [Buffer];
    t.equal(greeting.toString(), `/socket?a=b undefined ${namespace}/services/outside/proxy/socket`);
    socket.send('there and back');
    t.equal(String((await once(socket, 'message'))[0]), 'there and back');
    socket.close();
    await once(socket, 'close');
    echo.close();
  });

  await t.test(
    'nothing is left: of a client that dies, of a pod that goes, of an agent that is killed',
    { timeout: 300_000 },
    async (t) => {
      const mine = (): Promise<string[]> => helpers(cluster.pid('agent'));
      const child = await forwarding('kubectl', 'pod/web', [':8081']);
      const [port = 0] = child.ports;
      t.equal(await askMany(port, 1), 1);
      t.equal((await mine()).length, 1, 'one helper per pod');
      const idle = connect(port, '127.0.0.1');
      await once(idle, 'connect');
      // It is cut off in the middle.
      idle.on('error', () => undefined);
      child.kill('SIGKILL');
      await eventually('the idle helper to end', 90, async () => (await mine()).length === 0);

      const again = await forwarding('kubectl', 'pod/web', [':8081']);
      t.equal(await askMany(again.ports[0] ?? 0, 1), 1);
      const orphans = await mine();
      t.equal(orphans.length, 1);
      await cluster.kill('agent');
      await eventually('the helper of a killed agent to end', 60, async () => {
        const left = await helpers();
        return !orphans.some((pid) => left.includes(pid));
      });
      await eventually('kubectl to notice', 60, () => again.exitCode !== null);
      t.match(again.text(), /lost connection to pod|error/i);
      cluster.start('agent');
      let last: Awaited<ReturnType<typeof forwarding>> | undefined;
      await eventually('port-forward after a restart of the agent', 60, async () => {
        last = await forwarding('kubectl', 'pod/web', [':8081']);
        return (await askMany(last.ports[0] ?? 0, 1)) === 1;
      });
      await cluster.kubectl('delete', 'pod', 'web');
      await eventually('the helper of a deleted pod to end', 90, async () => (await mine()).length === 0);
      last?.kill();
    },
  );
});
