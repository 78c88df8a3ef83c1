/** The agent's API over real TLS, in front of the fake runtime: who is let in, logs, exec in all protocol versions. */
import t from 'tap';
import { badRequest } from '../../src/api/errors.js';
import { silentLogger } from '../../src/host/log.js';
import { containerSpec, sandboxSpec } from '../runtime/contract.js';
import { FakeRuntime } from '../runtime/fake.js';
import { parseRoute } from './routes.js';
import { type AgentServer, createAgentServer } from './server.js';
import { type Access, createTestAuthority, get, open } from './testing.js';

const authority = await createTestAuthority();
const master = await authority.issue('kube-apiserver-kubelet-client');
const serving = await authority.issue('system:node:n1', ['system:nodes']);

const runtime = new FakeRuntime();
runtime.images.add('busy:1');
const commands = { serve: ['serve'], stubborn: [], exit3: [], speak: [], cat: [], env: [] };
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

const server: AgentServer = createAgentServer({
  port: 0,
  address: '127.0.0.1',
  tls: { key: () => serving.key, cert: () => serving.cert, clientCa: () => authority.ca },
  lookup: {
    containerId: ({ pod, container }, { previous }) => {
      if (pod === 'waiting')
        throw badRequest('container "main" in pod "waiting" is waiting to start: ContainerCreating');
      return pod === 'web' && container === 'main' && !previous ? id : undefined;
    },
    pods: () => [{ metadata: { name: 'web' } }],
  },
  runtime,
  log: silentLogger,
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
  const node = await get({ ...access, identity: serving }, '/containerLogs/default/web/main');
  t.match(JSON.parse(node.body), { reason: 'Forbidden', message: /user=system:node:n1.*subresource=proxy/ });
  await t.rejects(
    open({ ...access, identity: serving }, '/exec/default/web/main?command=env&output=1', [
      'v4.channel.k8s.io',
    ]),
    {
      code: 403,
    },
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
