import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ApiError } from '../api/errors.js';
import { configMaps } from '../api/kinds.js';
import { type Logger, silentLogger } from '../host/log.js';
import { createFakeClock, settled } from '../testing/clock.js';
import { createFakeClient } from '../testing/fakeclient.js';
import { createController, on } from './controller.js';
import { createInformer } from './informer.js';
import { buildKubeconfig, loadKubeconfig } from './kubeconfig.js';
import { type ReconcileResult, type Reconciler, ReportedError, TerminalError } from './reconciler.js';

type Outcome = (key: string, call: number) => ReconcileResult | Promise<ReconcileResult>;

function setup(outcome: Outcome, workers = 1) {
  const clock = createFakeClock();
  const client = createFakeClient({ clock });
  const informer = createInformer({ client, type: configMaps, clock, log: silentLogger });
  const calls: string[] = [];
  const reconciler: Reconciler = {
    async reconcile(key) {
      calls.push(key);
      return outcome(key, calls.length);
    },
  };
  const controller = createController({
    name: 'test',
    reconciler,
    sources: [on(informer)],
    workers,
    clock,
    log: silentLogger,
  });
  const make = (name: string) => client.create(configMaps, { metadata: { namespace: 'default', name } });
  return { clock, client, informer, controller, calls, make };
}
const live = (): AbortSignal => new AbortController().signal;

/** Lines as `level message fields`. */
function recorder(lines: string[], bound: object = {}): Logger {
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push(`${level} ${message} ${JSON.stringify({ ...bound, ...fields })}`);
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => recorder(lines, { ...bound, ...fields }),
  };
}

void t.test('what was reported elsewhere is one line of the log, with what it is about', async (t) => {
  const clock = createFakeClock();
  const lines: string[] = [];
  const controller = createController({
    name: 'test',
    reconciler: {
      reconcile: async () => Promise.reject(new ReportedError('configmap "a" not found')),
    },
    fieldsOf: (key) => ({ pod: `default/${key}` }),
    sources: [],
    clock,
    log: recorder(lines),
  });
  await controller.start(live());
  controller.enqueue('web');
  await clock.advance(60_000);
  t.ok(controller.metrics().failures > 3, 'it is tried again');
  const told = lines.filter((line) => !line.startsWith('debug'));
  t.equal(told.length, 1);
  t.match(told[0], /^info cannot be done now, will retry .*"pod":"default\/web".*configmap/);
  await controller.stop();
});

void t.test('works begins when the sources have synced, and every outcome is judged', async (t) => {
  const { clock, client, informer, controller, calls, make } = setup((key, call) => {
    if (key === 'default/again' && call < 4) throw new Error('try again');
    if (key === 'default/later' && calls.filter((one) => one === key).length === 1)
      return { requeueAfterMs: 60_000 };
    if (key === 'default/never') throw new TerminalError('broken');
    return undefined;
  });
  client.failNext((call) => call.verb === 'list', new ApiError('ServiceUnavailable', 'away'));
  await make('again');
  const started = controller.start(live());
  await informer.start(live());
  await settled();
  t.strictSame(calls, [], 'not before the first list');
  await clock.advance(2_000);
  await started;
  await clock.advance(100);
  t.equal(calls.length, 4, 'three failures, one success');
  t.match(controller.metrics(), { reconciles: 4, failures: 3, depth: 0, active: 0 });

  await make('later');
  await settled();
  t.equal(calls.length, 5);
  await clock.advance(59_000);
  t.equal(calls.length, 5);
  await clock.advance(1_000);
  t.equal(calls.length, 6);

  await make('never');
  await clock.advance(3_600_000);
  t.equal(calls.length, 7, 'a terminal error waits for a change');
  await client.patch(
    configMaps,
    { namespace: 'default', name: 'never' },
    { type: 'merge', body: { data: { a: '1' } } },
  );
  await settled();
  t.equal(calls.length, 8);
  t.equal(controller.metrics().terminal, 2);
  await controller.stop();
  await informer.stop();
  t.equal(clock.pending, 0);
});

void t.test('stop waits for what is under way and takes nothing more', async (t) => {
  let finish: (() => void) | undefined;
  const { informer, controller, calls, make } = setup(
    () =>
      new Promise((resolve) => {
        finish = () => resolve(undefined);
      }),
  );
  await informer.start(live());
  await controller.start(live());
  await make('a');
  await make('b');
  await settled();
  const stopped = controller.stop();
  let isStopped = false;
  void stopped.then(() => {
    isStopped = true;
  });
  await settled();
  t.notOk(isStopped);
  finish?.();
  await stopped;
  t.strictSame(calls, ['default/a']);
  await informer.stop();
});

void t.test('a kubeconfig is read as it was built, and with files beside it', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'kubeconfig-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const path = join(directory, 'config');
  const access = {
    server: 'https://192.0.2.1:6443',
    ca: 'CA\n',
    cert: 'CERT\n',
    key: 'KEY\n',
    token: undefined,
    namespace: undefined,
  };
  await writeFile(path, buildKubeconfig(access, { cluster: 'wherry', user: 'admin' }));
  t.strictSame(await loadKubeconfig(path), access);
  await writeFile(join(directory, 'ca.crt'), 'CA2\n');
  await writeFile(
    path,
    `current-context: x
contexts: [{name: x, context: {cluster: c, user: u, namespace: shop}}]
clusters: [{name: c, cluster: {server: 'https://a', certificate-authority: ca.crt}}]
users: [{name: u, user: {token: secret}}]
`,
  );
  t.match(await loadKubeconfig(path), {
    server: 'https://a',
    ca: 'CA2\n',
    token: 'secret',
    namespace: 'shop',
  });
  await writeFile(path, 'current-context: nothing\n');
  await t.rejects(loadKubeconfig(path), /names no cluster/);
});
