/** The agent's API over real TLS, in front of the fake runtime: who is let in, logs, exec in all protocol versions. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { badRequest } from '../../src/api/errors.js';
import type { ContainerStatus } from '../../src/api/types.js';
import { type Health, healthyNow } from '../../src/host/component.js';
import { runChecked } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { containerSpec, sandboxSpec } from '../runtime/contract.js';
import { FakeRuntime } from '../runtime/fake.js';
import { parseRoute } from './routes.js';
import { type AgentServer, createAgentServer } from './server.js';
import { type Access, createTestAuthority, get, open, testAccess } from './testing.js';

const authority = await createTestAuthority();
const master = await authority.issue('kube-apiserver-kubelet-client');
const serving = await authority.issue('system:node:n1', ['system:nodes']);

const runtime = new FakeRuntime();
runtime.images.add('busy:1');
const commands = { serve: ['serve'], listens: [], stubborn: [], exit3: [], speak: [], cat: [], env: [] };
const subject = { runtime, image: 'busy:1', commands, unique: 'u' };
const sandbox = await runtime.createSandbox(sandboxSpec('u', 'web'));
await runtime.startSandbox(sandbox);
runtime.programs.set('hello', async ({ write, signal }) => {
  await write('stdout', 'one\ntwo\n');
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  return 0;
});
const id = await runtime.createContainer(sandbox, containerSpec(subject, 'web', ['hello']));
await runtime.startContainer(id);

let health: Health = healthyNow;
const containerStatus = (name: string): ContainerStatus => ({
  name,
  image: 'busy:1',
  imageID: '',
  ready: true,
  restartCount: 0,
});
const directory = await mkdtemp(join(tmpdir(), 'wherry-server-'));
t.teardown(() => rm(directory, { recursive: true }));
await mkdir(join(directory, 'log/sub'), { recursive: true });
await writeFile(join(directory, 'log/a.log'), 'hello\n');
await writeFile(join(directory, 'log/sub/b.log'), '');
await writeFile(join(directory, 'secret'), 'no');
await symlink('..', join(directory, 'log/out'));
await symlink('a.log', join(directory, 'log/inside'));
await runChecked('mkfifo', [join(directory, 'log/pipe')]);

const server: AgentServer = createAgentServer({
  port: 0,
  address: '127.0.0.1',
  tls: { key: () => serving.key, cert: () => serving.cert, clientCa: () => authority.ca },
  access: testAccess(),
  lookup: {
    containerId: ({ pod, container }, { previous }) => {
      if (pod === 'waiting')
        throw badRequest('container "main" in pod "waiting" is waiting to start: ContainerCreating');
      return pod === 'web' && container === 'main' && !previous ? id : undefined;
    },
    pods: () => [
      {
        metadata: { name: 'web', namespace: 'default', uid: 'u' },
        status: {
          phase: 'Running',
          containerStatuses: [
            { ...containerStatus('main'), state: { running: {} } },
            { ...containerStatus('side'), state: { waiting: {} } },
          ],
        },
      },
      { metadata: { name: 'waiting' } },
    ],
  },
  runtime,
  log: silentLogger,
  syncLoop: () => health,
  logDirectory: join(directory, 'log'),
});
t.equal(server.healthy().ok, false);
await server.start(new AbortController().signal);
t.teardown(() => server.stop());
const access: Access = { port: server.port, ca: authority.ca, identity: master };

t.test('only the master and administrators are let in', async (t) => {
  t.equal(server.healthy().ok, true);
  t.strictSame(await get(access, '/healthz'), { code: 200, body: 'ok' });
  const admin = await authority.issue('admin', ['people', 'system:masters']);
  t.equal((await get({ ...access, identity: admin }, '/healthz')).code, 200);
  const stranger = await (await createTestAuthority()).issue('kube-apiserver-kubelet-client');
  for (const identity of [undefined, stranger]) {
    const { code, body } = await get({ ...access, identity }, '/healthz');
    t.equal(code, 401);
    t.match(JSON.parse(body), { kind: 'Status', reason: 'Unauthorized', code: 401 });
  }
  // Without the master, who is not known beforehand gets no further.
  const node = await get({ ...access, identity: serving }, '/containerLogs/default/web/main');
  t.match(JSON.parse(node.body), {
    code: 500,
    message: 'Authorization error (user=system:node:n1, verb=get, resource=nodes, subresource(s)=[proxy])',
  });
  await t.rejects(
    open({ ...access, identity: serving }, '/exec/default/web/main?command=env&output=1', [
      'v4.channel.k8s.io',
    ]),
    { code: 500 },
  );
});

t.test('paths', async (t) => {
  t.match(JSON.parse((await get(access, '/pods')).body), {
    kind: 'PodList',
    items: [{ metadata: { name: 'web' } }],
  });
  for (const path of [
    '/',
    '/metrics',
    '/exec/a/b',
    '/containerLogs/a/b/c/d',
    '/containerLogs/a//c',
    '/pods/x',
    '/%zz/a/b/c',
  ]) {
    t.equal((await get(access, path)).code, 404, path);
  }
  t.equal((await get(access, '/exec/default/web/main?command=env&output=1')).code, 400);
  t.match(parseRoute('/exec/a/b%2Fc/d?command=x&command=y'), { to: 'exec', target: { pod: 'b/c' } });
});

t.test('methods, health, what runs, profiling', async (t) => {
  t.equal((await get(access, '/pods', 'POST')).code, 405);
  t.equal((await get(access, '/run/default/web/main?cmd=env')).code, 405);
  t.equal((await get(access, '/debug/pprof/profile')).code, 405);
  t.equal((await get(access, '/healthz/syncloop')).code, 200);
  health = { ok: false, reason: 'stuck' };
  t.strictSame(await get(access, '/healthz'), {
    code: 500,
    body: '[+]ping ok\n[+]log ok\n[-]syncloop failed: stuck\nhealthz check failed\n',
  });
  health = healthyNow;
  t.strictSame(JSON.parse((await get(access, '/runningpods/')).body).items, [
    {
      metadata: { name: 'web', namespace: 'default', uid: 'u' },
      spec: { containers: [{ name: 'main', image: 'busy:1', resources: {} }] },
      status: {},
    },
  ]);
});

t.test('run', async (t) => {
  const run = (query: string) => get(access, `/run/default/web/main${query}`, 'POST');
  t.strictSame(await run('?cmd=echo a b'.replaceAll(' ', '+')), { code: 200, body: 'a b\n' });
  t.equal((await run('')).code, 400);
  const failed = await run('?cmd=exit+3');
  t.match(JSON.parse(failed.body), { code: 500, message: /^command 'exit 3' exited with 3/ });
});

t.test('log files of the node, and nothing else', async (t) => {
  t.strictSame(await get(access, '/logs/a.log'), { code: 200, body: 'hello\n' });
  const list = await get(access, '/logs/');
  t.match(list.body, /<a href=".\/a.log">a.log<\/a>\n<a[\s\S]*out/);
  t.match((await get(access, '/logs/sub')).body, /b.log/);
  t.equal((await get(access, '/logs/inside')).body, 'hello\n', 'a link may lead within');
  for (const path of ['/logs/out/secret', '/logs/out', '/logs/..%2fsecret', '/logs/sub%2f..%2f..%2fsecret'])
    t.equal((await get(access, path)).code, 403, path);
  for (const path of ['/logs/none', '/logs/a.log/x', '/logs/pipe', '/logs/%00'])
    t.equal((await get(access, path)).code, 404, path);
  t.equal((await get(access, '/logs/../logs/a.log')).code, 200);
});

t.test('logs', async (t) => {
  t.strictSame(await get(access, '/containerLogs/default/web/main'), { code: 200, body: 'one\ntwo\n' });
  t.equal((await get(access, '/containerLogs/default/web/main?tailLines=1&limitBytes=2')).body, 'tw');
  t.match(
    (await get(access, '/containerLogs/default/web/main?timestamps=true')).body,
    /^\d{4}-\d\d-\d\dT[\d:.]+Z one\n/,
  );
  const missing = await get(access, '/containerLogs/default/web/main?previous=true');
  t.match(JSON.parse(missing.body), {
    code: 400,
    message: 'previous terminated container "main" in pod "web" not found',
  });
  const waiting = await get(access, '/containerLogs/default/waiting/main');
  t.match(JSON.parse(waiting.body), { code: 400, message: /waiting to start: ContainerCreating/ });
  t.equal((await get(access, '/containerLogs/default/web/main?tailLines=-1')).code, 422);
});

const exec = '/exec/default/web/main?input=1&output=1&error=1';

t.test('exec: output, errors and the exit code', async (t) => {
  for (const protocol of ['v5.channel.k8s.io', 'v4.channel.k8s.io']) {
    const echo = await open(access, `${exec}&command=echo&command=a b`, [protocol]);
    t.equal(await echo.closed, 1000);
    t.equal(echo.socket.protocol, protocol);
    t.equal(echo.text(1), 'a b\n');
    t.match(JSON.parse(echo.text(3)), { status: 'Success' });
    const failing = await open(access, `${exec}&command=exit&command=3`, ['unknown', protocol]);
    await failing.closed;
    t.match(JSON.parse(failing.text(3)), {
      status: 'Failure',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    });
  }
  const warn = await open(access, `${exec}&command=warn&command=oops`, ['v4.channel.k8s.io']);
  await warn.closed;
  t.equal(warn.text(2), 'oops\n');
});

t.test('exec in the oldest protocol tells failures in words and success by silence', async (t) => {
  const good = await open(access, `${exec}&command=true`, ['channel.k8s.io']);
  await good.closed;
  t.equal(good.text(3), '');
  const bad = await open(access, `${exec}&command=false`, ['channel.k8s.io']);
  await bad.closed;
  t.match(bad.text(3), /^command terminated with non-zero exit code/);
});

t.test('v5 closes stdin by a message; pings are answered; resizes are taken', async (t) => {
  const session = await open(access, '/exec/default/web/main?input=1&output=1&tty=1&command=cat', [
    'v5.channel.k8s.io',
  ]);
  await session.send(0, 'first ');
  await session.send(4, '{"Width":80,"Height":24}');
  await session.send(4, 'nonsense');
  const pong = new Promise((resolve) => session.socket.once('pong', resolve));
  session.socket.ping();
  await pong;
  await session.send(0, 'second');
  await session.send(255, Buffer.of(0));
  await session.send(0, 'after the end');
  await session.closed;
  t.equal(session.text(1), 'first second');
  t.match(JSON.parse(session.text(3)), { status: 'Success' });
});

t.test('a client that goes away takes its command with it', async (t) => {
  const ended = new Promise<void>((resolve) => {
    runtime.programs.set('watch', async ({ signal, write }) => {
      await write('stdout', 'on');
      signal.addEventListener('abort', () => resolve(), { once: true });
      return new Promise(() => undefined);
    });
  });
  const session = await open(access, `${exec}&command=watch`, ['v5.channel.k8s.io']);
  session.socket.terminate();
  await ended;
  t.pass();
});

t.test('refused upgrades say why in a Status', async (t) => {
  const refused = async (path: string, protocols: string[], pattern: object): Promise<void> => {
    const answer = await open(access, path, protocols).then(
      () => ({ body: '{}' }),
      (reason: { body: string }) => reason,
    );
    t.match(JSON.parse(answer.body), { kind: 'Status', status: 'Failure', ...pattern });
  };
  await refused('/exec/default/none/main?command=env&output=1', ['v5.channel.k8s.io'], {
    code: 400,
    message: /not found/,
  });
  await refused('/exec/default/web/main?command=env', ['v5.channel.k8s.io'], {
    code: 400,
    message: /at least 1 of stdin/,
  });
  await refused(`${exec}&command=env`, ['v3.channel.k8s.io'], { code: 400, message: /unable to upgrade/ });
  await refused('/pods', ['v4.channel.k8s.io'], { code: 400 });
});

t.test('what the runtime cannot do arrives as a Status on the error channel', async (t) => {
  const session = await open(access, '/attach/default/web/main?output=1', ['v4.channel.k8s.io']);
  runtime.exit(id, 0);
  await session.closed;
  t.match(JSON.parse(session.text(3)), { status: 'Success' });
  const late = await open(access, `${exec}&command=env`, ['v4.channel.k8s.io']);
  await late.closed;
  t.match(JSON.parse(late.text(3)), {
    status: 'Failure',
    reason: 'InternalError',
    message: /is not running/,
  });
});

t.test('certificates are taken anew; stop cuts what is open', async (t) => {
  server.reloadCertificates();
  t.equal((await get(access, '/healthz')).code, 200);
  await server.stop();
  await server.stop();
  t.equal(server.healthy().ok, false);
  await t.rejects(get(access, '/healthz'), { code: 'ECONNREFUSED' });
});
