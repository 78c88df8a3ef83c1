import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { systemClock } from '../../src/host/clock.js';
import { createFakeClock, settled } from '../../src/testing/clock.js';
import { createProbeManager, type ProbeReport } from './manager.js';
import { resolvePort } from './ports.js';
import { createProbeRunner, type ProbeRunner } from './runner.js';
import { addResult, type Streak, timingOf, verdictOf } from './thresholds.js';

t.test('a verdict changes only after enough results in a row', async (t) => {
  const verdicts = (results: boolean[]): (boolean | undefined)[] => {
    let streak: Streak | undefined;
    return results.map((success) => {
      streak = addResult(streak, success);
      return verdictOf(streak, { successThreshold: 2, failureThreshold: 3 });
    });
  };
  t.same(verdicts([true, true]), [undefined, true]);
  t.same(verdicts([false, false, true, false, false, false]), [
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    false,
  ]);
  t.same(timingOf({}), { initialDelayMs: 0, periodMs: 10_000, timeoutMs: 1000 });
});

t.test('ports by number and by name', async (t) => {
  t.equal(resolvePort(80, []), 80);
  t.equal(resolvePort('web', [{ name: 'web', containerPort: 8080 }]), 8080);
  t.equal(resolvePort('81', []), 81);
  t.equal(resolvePort('none', []), undefined);
});

/** A manager whose checks answer what `outcome` says, with all that it reports. */
function setUp() {
  const clock = createFakeClock();
  const asked: string[] = [];
  const verdicts: string[] = [];
  const outcome: Record<string, boolean> = {};
  const runner: ProbeRunner = async (handler) => {
    const what = handler.exec?.command?.[0] ?? '';
    asked.push(what);
    return { success: outcome[what] ?? true, output: '' };
  };
  const word = (report: ProbeReport, success: boolean): void =>
    void verdicts.push(`${report.kind} ${success}`);
  const manager = createProbeManager({
    runner,
    clock,
    random: () => 0,
    onVerdict: word,
    onFailure: () => undefined,
  });
  const probe = (kind: string, more: object = {}) => ({
    exec: { command: [kind] },
    periodSeconds: 1,
    ...more,
  });
  const container = (isStarted = false) => ({
    id: 'c1',
    podIp: '10.0.0.1',
    startedAt: clock.now(),
    isStarted,
    spec: {
      name: 'c',
      startupProbe: probe('startup', { failureThreshold: 2 }),
      livenessProbe: probe('liveness', { failureThreshold: 2 }),
      readinessProbe: probe('readiness', { failureThreshold: 1 }),
    },
  });
  return { clock, asked, verdicts, outcome, manager, container };
}

t.test('the startup probe gates the others', async (t) => {
  const { clock, asked, verdicts, outcome, manager, container } = setUp();
  outcome['startup'] = false;
  manager.sync('u', [container()], false);
  await clock.advance(10);
  t.same(asked, ['startup']);
  outcome['startup'] = true;
  await clock.advance(1000);
  t.same(verdicts, ['startup true', 'readiness true', 'liveness true']);
});

t.test(
  'liveness gives up once; readiness follows every change; nothing runs after the container',
  async (t) => {
    const { clock, asked, verdicts, outcome, manager, container } = setUp();
    manager.sync('u', [container(true)], false);
    await clock.advance(10);
    outcome['liveness'] = outcome['readiness'] = false;
    await clock.advance(3000);
    t.same(verdicts, ['readiness true', 'liveness true', 'readiness false', 'liveness false']);
    t.equal(
      asked.filter((what) => what === 'liveness').length,
      3,
      'stays quiet until there is a new container',
    );
    outcome['readiness'] = true;
    await clock.advance(1000);
    t.equal(verdicts.at(-1), 'readiness true');
    manager.sync('u', [], false);
    const before = asked.length;
    await clock.advance(5000);
    t.equal(asked.length, before);
    t.equal(clock.pending, 0);
  },
);

t.test('an ending pod is not asked for its liveness', async (t) => {
  const { clock, asked, manager, container } = setUp();
  manager.sync('u', [container(true)], true);
  await clock.advance(2500);
  t.notOk(asked.includes('liveness'));
  t.ok(asked.includes('readiness'));
  manager.stop();
});

t.test('checks', async (t) => {
  const server = createServer((request, response) => {
    const { url = '/', headers } = request;
    if (url === '/hang') return;
    if (url === '/away') response.writeHead(302, { location: 'http://elsewhere.invalid/' });
    else if (url === '/here') response.writeHead(302, { location: '/ok' });
    else if (url === '/loop') response.writeHead(302, { location: '/loop' });
    else if (url === '/head')
      response.writeHead(headers['x-a'] === 'b' && headers.host === 'name' ? 200 : 500);
    else response.writeHead(url === '/ok' ? 200 : 503);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const runner = createProbeRunner({
    clock: systemClock,
    runtime: {
      exec: (_id, { command }) =>
        command[0] === 'hang' ? new Promise(() => undefined) : Promise.resolve(Number(command[0])),
    },
  });
  const target = { containerId: 'c', podIp: '127.0.0.1', port };
  const { signal } = new AbortController();
  const get = (path: string, httpHeaders: { name: string; value: string }[] = []) =>
    runner({ httpGet: { path, port, httpHeaders } }, target, path === '/hang' ? 50 : 5000, signal);
  t.match(await get('/ok'), { success: true });
  t.same(await get('/bad'), { success: false, output: 'HTTP probe failed with statuscode: 503' });
  t.match(await get('/here'), { success: true });
  t.match(await get('/away'), { success: true }, 'a redirect to another host is not followed');
  t.match(await get('/loop'), { success: false, output: /stopped after 10 redirects/ });
  t.match(
    await get('/head', [
      { name: 'X-A', value: 'b' },
      { name: 'Host', value: 'name' },
    ]),
    { success: true },
  );
  t.match(await get('/hang'), { success: false, output: /context deadline exceeded/ });
  t.match(await runner({ tcpSocket: { port } }, target, 1000, signal), { success: true });
  t.match(await runner({ tcpSocket: { port: 1 } }, { ...target, port: 1 }, 1000, signal), {
    success: false,
    output: /connection refused/,
  });
  t.match(await runner({ exec: { command: ['0'] } }, target, 1000, signal), { success: true });
  t.match(await runner({ exec: { command: ['3'] } }, target, 1000, signal), { success: false });
  t.match(await runner({ exec: { command: ['hang'] } }, target, 20, signal), {
    success: false,
    output: /timed out after/,
  });
  await settled();
});
