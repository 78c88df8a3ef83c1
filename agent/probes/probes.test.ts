import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { systemClock } from '../../src/host/clock.js';
import { createFakeClock, settled } from '../../src/testing/clock.js';
import { FakeRuntime } from '../runtime/fake.js';
import { RuntimeError } from '../runtime/runtime.js';
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
  for (const port of [0, -1, 65_536, '0', '1e3', '']) t.equal(resolvePort(port, []), undefined);
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

t.test('what could not be asked counts for nothing', async (t) => {
  const clock = createFakeClock();
  const verdicts: string[] = [];
  const troubles: string[] = [];
  let answer: Awaited<ReturnType<ProbeRunner>> = { success: true, output: '' };
  const manager = createProbeManager({
    runner: async () => answer,
    clock,
    onVerdict: (report, success) => void verdicts.push(`${report.kind} ${success}`),
    onFailure: (report, output, how) => void troubles.push(`${report.kind} ${how}: ${output}`),
  });
  const livenessProbe = { exec: { command: ['x'] }, periodSeconds: 1, failureThreshold: 2 };
  const running = { id: 'c', podIp: '', startedAt: clock.now(), isStarted: true };
  manager.sync('u', [{ ...running, spec: { name: 'c', livenessProbe } }], false);
  await clock.advance(0);
  answer = { success: false, isUnknown: true, output: 'away' };
  await clock.advance(10_000);
  t.same(verdicts, ['liveness true']);
  answer = { success: true, isWarning: true, output: 'elsewhere' };
  await clock.advance(1000);
  t.strictSame([...new Set(troubles)], ['liveness errored: away', 'liveness warning: elsewhere']);
  t.match(manager.results(), [
    { kind: 'liveness', counts: { successful: 2, failed: 0, unknown: 10, durations: { count: 2 } } },
  ]);
  t.equal(clock.pending, 1, 'one timer per probe');
  manager.stop();
  t.equal(clock.pending, 0);
});

t.test(
  'after a restart of the agent probes spread over their period; those of new containers start at once',
  async (t) => {
    const clock = createFakeClock();
    const asked: number[] = [];
    const runner: ProbeRunner = async () => {
      asked.push(clock.monotonicMs());
      return { success: true, output: '' };
    };
    const quiet = { onVerdict: () => undefined, onFailure: () => undefined };
    const manager = createProbeManager({ runner, clock, ...quiet });
    const readinessProbe = { httpGet: { port: 80 }, periodSeconds: 10 };
    const container = (id: string, ageMs: number) => ({
      id,
      podIp: '10.0.0.1',
      startedAt: new Date(clock.now().getTime() - ageMs),
      isStarted: true,
      spec: { name: 'c', readinessProbe },
    });
    for (let n = 0; n < 1000; n += 1) manager.sync(`p${n}`, [container(`c${n}`, 3_600_000)], false);
    await clock.advance(9999.9);
    t.equal(asked.length, 1000, 'each once');
    const perSecond = Array.from(
      { length: 10 },
      (_, n) => asked.filter((at) => Math.floor(at / 1000) === n).length,
    );
    t.ok(Math.max(...perSecond) < 160 && Math.min(...perSecond) > 50, perSecond.join());
    asked.length = 0;
    manager.sync('new', [container('new', 5)], false);
    await clock.advance(0);
    t.strictSame(asked, [9999.9]);
    manager.stop();
  },
);

t.test('when a container has started, its readiness is asked at once', async (t) => {
  const { clock, verdicts, outcome, manager, container } = setUp();
  outcome['startup'] = false;
  const late = container();
  late.spec.startupProbe = {
    ...late.spec.startupProbe,
    failureThreshold: 100,
  } as typeof late.spec.startupProbe;
  manager.sync('u', [late], false);
  await clock.advance(20_000);
  outcome['startup'] = true;
  await clock.advance(1000);
  t.same(verdicts, ['startup true', 'readiness true', 'liveness true']);
  manager.stop();
});

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
    else if (url === '/absolute') response.writeHead(307, { location: `http://127.0.0.1:${port}/echo` });
    else if (url === '/not-modified') response.writeHead(304, { location: '/bad' });
    else if (url === '/echo') response.write(JSON.stringify(headers));
    else if (url === '/big') response.write('x'.repeat(100_000));
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
  const runtime = new FakeRuntime();
  const runner = createProbeRunner({
    clock: systemClock,
    runtime: {
      version: () => runtime.version(),
      exec: (_id, { command }) =>
        command[0] === 'hang'
          ? new Promise(() => undefined)
          : command[0] === 'gone'
            ? Promise.reject(new RuntimeError('unavailable', 'no runtime'))
            : Promise.resolve(Number(command[0])),
    },
  });
  const target = { containerId: 'c', podIp: '127.0.0.1', port };
  const { signal } = new AbortController();
  const get = (path: string, httpHeaders: { name: string; value: string }[] = []) =>
    runner({ httpGet: { path, port, httpHeaders } }, target, path === '/hang' ? 50 : 5000, signal);
  t.match(await get('/ok'), { success: true });
  t.same(await get('/bad'), { success: false, output: 'HTTP probe failed with statuscode: 503' });
  t.match(await get('/here'), { success: true });
  t.match(
    await get('/away'),
    { success: true, isWarning: true, output: /^Probe terminated redirects/ },
    'a redirect to another host is not followed',
  );
  t.match(await get('/not-modified'), { success: true }, 'not every 3xx is a redirect');
  t.equal((await get('/big')).output.length, 10 * 1024);
  const echo = async (path: string, headers: [string, string][] = []) =>
    JSON.parse(
      (
        await get(
          path,
          headers.map(([name, value]) => ({ name, value })),
        )
      ).output,
    );
  t.strictSame(await echo('/echo'), {
    host: `127.0.0.1:${port}`,
    'user-agent': 'kube-probe/1.36',
    accept: '*/*',
    connection: 'close',
  });
  const own = await echo('/echo', [
    ['HOST', 'a.example'],
    ['user-agent', 'mine'],
    ['Accept', ''],
    ['X-Many', '1'],
    ['x-many', '2'],
    ['X-Empty', ''],
  ]);
  t.match(own, { host: 'a.example', 'user-agent': 'mine', 'x-many': '1, 2', 'x-empty': '' });
  t.notOk('accept' in own);
  const away = await echo('/absolute', [['Host', 'a.example']]);
  t.equal(away.host, `127.0.0.1:${port}`, 'an absolute redirect names its host');
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
  const hanging = () => runner({ exec: { command: ['hang'] } }, target, 20, signal);
  const timedOut = await hanging();
  t.match(timedOut, { success: false, output: /timed out after/ });
  t.notOk(timedOut.isUnknown);
  runtime.setAvailable(false);
  t.match(await hanging(), { isUnknown: true }, 'the runtime hangs, not the command');
  t.match(await runner({ exec: { command: ['gone'] } }, target, 1000, signal), {
    isUnknown: true,
    output: 'no runtime',
  });
  t.match(await runner({ tcpSocket: { port: 'x' } }, { ...target, port: undefined }, 1000, signal), {
    isUnknown: true,
  });
  await settled();
});
