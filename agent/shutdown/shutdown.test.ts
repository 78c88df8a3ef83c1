/** Who goes when; what is said meanwhile; the words of logind's tools; and nothing at all where there is no logind. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Pod } from '../../src/api/types.js';
import type { Exec } from '../../src/host/exec.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock, settled } from '../../src/testing/clock.js';
import { openChild } from './children.js';
import { createLogind, type ShutdownSource, shutdownSignal } from './logind.js';
import { planShutdown } from './plan.js';
import { createNodeShutdown } from './shutdown.js';

const pod = (uid: string, spec: object = {}, phase = 'Running'): Pod => ({
  metadata: { name: uid, uid },
  spec: { containers: [], ...spec },
  status: { phase },
});
const critical = { priority: 2_000_000_000 };

t.test('ordinary pods first, critical ones with the last part', async (t) => {
  const pods = [
    pod('web', { terminationGracePeriodSeconds: 5 }),
    pod('slow', { terminationGracePeriodSeconds: 600 }),
    pod('dns', critical),
    pod('done', {}, 'Succeeded'),
  ];
  const [first, last, none] = planShutdown(pods, { totalMs: 30_000, criticalMs: 10_000 });
  t.same(
    [...(first?.ends ?? [])].map(([uid, { graceSeconds }]) => [uid, graceSeconds]),
    [
      ['web', 5],
      ['slow', 20],
    ],
  );
  t.match(first?.ends.get('web'), {
    reason: 'Terminated',
    message: 'Pod was terminated in response to imminent node shutdown.',
    disruption: { reason: 'TerminationByKubelet' },
  });
  t.same(
    [[...(last?.ends.keys() ?? [])], last?.ends.get('dns')?.graceSeconds, last?.waitMs],
    [['dns'], 10, 10_000],
  );
  t.equal(none, undefined);
  const named = pod('named', { priorityClassName: 'system-node-critical' });
  t.equal(planShutdown([named], { totalMs: 30_000, criticalMs: 10_000 })[0]?.waitMs, 10_000, 'by its class');
  t.same(planShutdown([pod('done', {}, 'Failed')], { totalMs: 1, criticalMs: 0 }), []);
});

function start(pods: Pod[]) {
  const clock = createFakeClock();
  const log: string[] = [];
  const running = new Set(pods.map(({ metadata }) => metadata.uid ?? ''));
  const host = { tell: (_: boolean): void => undefined, locks: 0, isAway: false };
  const source: ShutdownSource = {
    allowDelay: async (ms) => {
      if (host.isAway) throw new Error('no such service');
      return ms;
    },
    async inhibit() {
      host.locks += 1;
      let end = (): void => undefined;
      const gone = new Promise<void>((resolve) => {
        end = resolve;
      });
      return {
        release() {
          host.locks -= 1;
          end();
        },
        gone,
      };
    },
    watch(onChange) {
      host.tell = onChange;
      return { stop: () => undefined, ended: new Promise<string>(() => undefined) };
    },
    isBegun: async () => false,
  };
  const shutdown = createNodeShutdown({
    ...{ graceMs: 30_000, criticalMs: 10_000, source, clock, log: silentLogger },
    pods: () => pods,
    end: (uid, { graceSeconds }) => log.push(`${clock.monotonicMs() / 1000}s end ${uid} ${graceSeconds}`),
    running: async () => running,
    onChange: () => log.push('status'),
  });
  return { clock, log, running, host, shutdown };
}

t.test('the node says so, refuses, ends in waves, and lets the host go', async (t) => {
  const { clock, log, running, host, shutdown } = start([pod('web'), pod('dns', critical)]);
  await shutdown.start(new AbortController().signal);
  await clock.advance(10);
  t.equal(host.locks, 1);
  t.equal(shutdown.admit(pod('new'), []), undefined);
  t.equal(shutdown.check.healthy().ok, true);
  host.tell(true);
  t.match(shutdown.admit(pod('new'), []), { reason: 'NodeShutdown' });
  t.match(shutdown.check.healthy(), { ok: false, reason: 'node is shutting down' });
  await clock.advance(4_000);
  running.delete('web');
  await clock.advance(1_000);
  t.same(
    log,
    ['status', '0.01s end web 20', '4.51s end dns 10'],
    'the next wave comes when the first is gone',
  );
  t.equal(host.locks, 1, 'a critical pod still runs');
  await clock.advance(10_000);
  await clock.advance(2_500);
  t.equal(host.locks, 0, 'time is up');
  await shutdown.stop();
});

t.test('a shutdown that is called off', async (t) => {
  const { clock, log, host, shutdown } = start([pod('web')]);
  await shutdown.start(new AbortController().signal);
  await clock.advance(10);
  host.tell(true);
  await clock.advance(1_000);
  host.tell(false);
  await clock.advance(60_000);
  t.equal(shutdown.check.healthy().ok, true);
  t.equal(shutdown.admit(pod('new'), []), undefined);
  t.equal(host.locks, 1);
  t.equal(log.filter((line) => line === 'status').length, 2);
  await shutdown.stop();
  t.equal(host.locks, 0);
});

t.test('without a login manager nothing happens, and it is looked for again', async (t) => {
  const { clock, host, shutdown } = start([]);
  host.isAway = true;
  await shutdown.start(new AbortController().signal);
  await clock.advance(60_000);
  t.equal(shutdown.healthy().ok, true);
  host.isAway = false;
  await clock.advance(600_000);
  t.equal(host.locks, 1);
  await shutdown.stop();
});

t.test('lines of busctl', async (t) => {
  const line = (member: string, data: unknown): string =>
    JSON.stringify({ type: 'signal', member, payload: { type: 'b', data } });
  t.equal(shutdownSignal(line('PrepareForShutdown', [true])), true);
  t.equal(shutdownSignal(line('PrepareForShutdown', [false])), false);
  t.equal(shutdownSignal(line('PrepareForSleep', [true])), undefined);
  t.equal(shutdownSignal('Monitoring bus message stream.'), undefined);
});

t.test('a delay that is too short is made longer, a lock lives by its pipe', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-logind-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const delayFile = join(directory, 'logind.conf.d', '99.conf');
  let delay = 't 5000000';
  const calls: string[] = [];
  const exec: Exec = async (_file, args) => {
    calls.push(args.slice(1).join(' '));
    if (args.includes('KillUnit')) delay = 't 32000000';
    return {
      code: 0,
      stdout: args.includes('PreparingForShutdown') ? 'b false\n' : `${delay}\n`,
      stderr: '',
    };
  };
  const opened: string[][] = [];
  const logind = createLogind({
    ...{ exec, delayFile, pause: async () => undefined },
    open: (file, args, onLine) => {
      opened.push([file, ...args]);
      return openChild('cat', [], onLine);
    },
  });
  t.equal(await logind.allowDelay(5_000), 5_000);
  t.equal(calls.length, 1);
  t.equal(await logind.allowDelay(32_000), 32_000);
  t.match(await readFile(delayFile, 'utf8'), /\[Login\]\nInhibitDelayMaxSec=32\n/);
  t.match(calls.at(-2), /KillUnit ssi systemd-logind.service main 1$/);
  t.equal(await logind.isBegun(), false);

  const lock = await logind.inhibit();
  t.match(opened, [['systemd-inhibit', '--what=shutdown', '--mode=delay']]);
  lock.release();
  await lock.gone;

  const broken = createLogind({
    ...{ exec, pause: async () => undefined },
    open: (_file, _args, onLine) => openChild('/does/not/exist', [], onLine),
  });
  await t.rejects(broken.inhibit(), { code: 'ENOENT' });
  const watch = broken.watch(() => undefined);
  t.match(await watch.ended, /ENOENT/);
  await settled();
});
