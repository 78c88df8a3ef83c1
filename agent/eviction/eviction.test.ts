/** Thresholds, pressures, ranking, words and limits by the tables of the documentation; the manager on a fake world. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Pod } from '../../src/api/types.js';
import { silentLogger } from '../../src/host/log.js';
import { pod as makePod } from '../../src/testing/builders.js';
import { createFakeClock } from '../../src/testing/clock.js';
import type { PodEnd } from '../pods/needs.js';
import { measureDirectory } from './diskwalk.js';
import { reclaimFlags } from './flags.js';
import { createEviction } from './manager.js';
import { pressureMessage } from './messages.js';
import { assess, noPressure, type Observation, type PressureState } from './pressure.js';
import { rankForEviction } from './rank.js';
import { hardReserve, parseThresholds, type Signal, type Threshold, withAllocatable } from './signals.js';
import { exceededLimit, hasStorageLimit } from './storagelimits.js';
import type { PodUse } from './usage.js';

const mi = 1024 ** 2;
const gi = 1024 ** 3;
const noFlags = { hard: '', soft: '', softGracePeriod: '', minimumReclaim: '' };
const everything = { layers: true, logsAndVolumes: true };

const short = ({ signal, value, graceMs }: Threshold): string =>
  `${signal}<${'units' in value ? value.units : `${value.ratio * 100}%`}${graceMs > 0 ? ` ${graceMs}` : ''}`;

t.test('thresholds', async (t) => {
  const defaults = [
    `memory.available<${100 * mi}`,
    'nodefs.available<10%',
    'nodefs.inodesFree<5%',
    'imagefs.available<15%',
    'imagefs.inodesFree<5%',
  ];
  t.same(parseThresholds(noFlags).map(short), defaults);
  const given = parseThresholds({
    hard: 'memory.available<500Mi, imagefs.available<0%,pid.available<10%',
    soft: 'memory.available<1Gi',
    softGracePeriod: 'memory.available=1m30s',
    minimumReclaim: 'memory.available=200Mi,nodefs.available=1%',
  });
  t.same(given.map(short), [
    `memory.available<${500 * mi}`,
    ...defaults.slice(1, 3),
    'imagefs.inodesFree<5%',
    'pid.available<10%',
    `memory.available<${gi} 90000`,
  ]);
  t.same(given[0]?.minReclaim, { units: 200 * mi });
  t.same(withAllocatable(given).slice(given.length).map(short), [`allocatableMemory.available<${500 * mi}`]);
  t.equal(hardReserve(given, 'memory.available', 4 * gi), 500 * mi);
  t.equal(hardReserve(given, 'nodefs.available', 1000), 100);
  t.equal(hardReserve(given, 'imagefs.available', 1000), 0);
  const wrong: [Partial<typeof noFlags>, RegExp][] = [
    [{ hard: 'memory.free<1' }, /"memory.free" is no eviction signal/],
    [{ hard: 'memory.available=1' }, /is not like/],
    [{ hard: 'memory.available<0' }, /must be more than 0/],
    [{ hard: 'nodefs.available<101%' }, /more than 100%/],
    [{ soft: 'memory.available<1Gi' }, /needs --eviction-soft-grace-period/],
    [{ soft: 'memory.available<1Gi', softGracePeriod: 'memory.available=x' }, /no duration/],
    [{ minimumReclaim: 'memory.available=-1' }, /negative/],
  ];
  for (const [flags, message] of wrong)
    t.throws(() => parseThresholds({ ...noFlags, ...flags }), { message });
});

t.test('flags', async (t) => {
  t.match(reclaimFlags({}), {
    eviction: { transitionMs: 300_000, maxPodGraceSeconds: 0 },
    imageGc: { highPercent: 85, lowPercent: 80, minAgeMs: 120_000, maxAgeMs: 0 },
  });
  t.match(reclaimFlags({ imageGcHighThreshold: '50', imageMaximumGcAge: '12h' }).imageGc, {
    highPercent: 50,
    lowPercent: 50,
    maxAgeMs: 43_200_000,
  });
  t.throws(() => reclaimFlags({ imageGcLowThreshold: '90' }), /low-threshold: 90 is above/);
  t.throws(() => reclaimFlags({ evictionHard: 'x' }), /--eviction-hard/);
});

const of = (values: Partial<Record<Signal, Observation>>): Map<Signal, Observation> =>
  new Map(Object.entries(values) as [Signal, Observation][]);
const memory = (available: number): Map<Signal, Observation> =>
  of({ 'memory.available': { available, capacity: 4 * gi } });

t.test('pressure comes at once, goes after the transition period', async (t) => {
  const rules = { thresholds: parseThresholds(noFlags), transitionMs: 300_000 };
  const at = (state: PressureState, available: number, ms: number) =>
    assess(rules, memory(available), state, ms);
  const calm = at(noPressure, 100 * mi, 0);
  t.same([[...calm.pressures], calm.due], [[], []], 'exactly the threshold is enough');
  const pressed = at(calm.state, 100 * mi - 1, 10_000);
  t.same([...pressed.pressures], ['MemoryPressure']);
  t.same(pressed.due.map(short), [`memory.available<${100 * mi}`]);
  const after = at(pressed.state, gi, 20_000);
  t.same([[...after.pressures], after.due], [['MemoryPressure'], []]);
  t.same([...at(after.state, gi, 309_999).pressures], ['MemoryPressure']);
  t.same([...at(after.state, gi, 310_000).pressures], []);
  t.same([...assess({ ...rules, transitionMs: 0 }, memory(1), noPressure, 5).pressures], ['MemoryPressure']);
  t.same(assess(rules, of({}), noPressure, 0).due, [], 'what cannot be seen presses nobody');
});

t.test('soft thresholds wait, minimum reclaim holds on, memory comes first', async (t) => {
  const thresholds = parseThresholds({
    ...noFlags,
    soft: 'memory.available<1Gi',
    softGracePeriod: 'memory.available=30s',
    minimumReclaim: 'memory.available=100Mi',
  });
  const rules = { thresholds, transitionMs: 300_000 };
  let state = noPressure;
  const at = (observations: Map<Signal, Observation>, ms: number) => {
    const result = assess(rules, observations, state, ms);
    state = result.state;
    return result;
  };
  const first = at(memory(gi - 1), 0);
  t.same([[...first.pressures], first.due], [['MemoryPressure'], []], 'pressure, but nobody has to go yet');
  t.same(at(memory(gi - 1), 29_999).due, []);
  t.same(at(memory(gi - 1), 30_000).due.map(short), [`memory.available<${gi} 30000`]);
  t.same(at(memory(gi + 99 * mi), 40_000).due.length, 1, 'not enough was reclaimed');
  t.same(at(memory(gi + 100 * mi), 50_000).due, []);
  t.same(at(memory(gi + 1), 60_000).due, [], 'reclaim only holds on to what was due');
  t.same(at(memory(gi - 1), 70_000).due, [], 'the grace period begins anew');
  const both = at(
    of({
      'memory.available': { available: 0, capacity: gi },
      'nodefs.available': { available: 9, capacity: 100 },
    }),
    80_000,
  );
  t.equal(both.due[0]?.signal, 'memory.available');
  t.same([...both.pressures].sort(), ['DiskPressure', 'MemoryPressure']);
});

const use = (fields: Partial<PodUse> = {}): PodUse => ({
  ...{ memoryBytes: 0, processes: 0, containers: [], volumes: new Map() },
  ...fields,
});

const podOf = (name: string, priority: number, requests: Record<string, string>): Pod =>
  makePod(name, {
    meta: { uid: name },
    spec: { priority, containers: [{ name: 'c', resources: { requests } }] },
    status: { phase: 'Running' },
  });

t.test('who goes first', async (t) => {
  const order = (
    pods: Pod[],
    uses: Record<string, PodUse>,
    starved: 'memory' | 'pids' | 'ephemeral-storage',
  ) =>
    rankForEviction(pods, {
      starved,
      parts: everything,
      useOf: ({ metadata }) => uses[metadata.name ?? ''],
    }).map(({ metadata }) => metadata.name);
  const bytes = (memoryBytes: number) => use({ memoryBytes });

  const pods = [
    podOf('within', 0, { memory: '1Gi' }),
    podOf('important', 100, { memory: '1Mi' }),
    podOf('little-over', 0, { memory: '100Mi' }),
    podOf('much-over', 0, { memory: '200Mi' }),
    podOf('best-effort', 0, {}),
    podOf('unknown', 1000, {}),
  ];
  t.same(
    order(
      pods,
      {
        within: bytes(900 * mi),
        important: bytes(2 * gi),
        'little-over': bytes(150 * mi),
        'much-over': bytes(400 * mi),
        'best-effort': bytes(10 * mi),
      },
      'memory',
    ),
    ['unknown', 'much-over', 'little-over', 'best-effort', 'important', 'within'],
  );
  const processes = (count: number) => use({ processes: count });
  const few = [podOf('low', -1, {}), podOf('many', 5, {}), podOf('few', 5, {})];
  t.same(order(few, { low: processes(1), many: processes(50), few: processes(2) }, 'pids'), [
    'low',
    'many',
    'few',
  ]);
  const disks = [podOf('asked', 0, { 'ephemeral-storage': '1Gi' }), podOf('silent', 0, {})];
  const disk = (size: number) => use({ volumes: new Map([['v', { bytes: size, inodes: 1 }]]) });
  t.same(order(disks, { asked: disk(900 * mi), silent: disk(mi) }, 'ephemeral-storage'), ['silent', 'asked']);
});

t.test('what the status says', async (t) => {
  const [threshold] = parseThresholds({ ...noFlags, hard: 'memory.available<750Mi' });
  if (!threshold) throw new Error('no threshold');
  const containers = [
    { name: 'c', memoryBytes: 4_395_616 * 1024, layerBytes: 0, logs: { bytes: 0, inodes: 0 } },
  ];
  t.equal(
    pressureMessage(threshold, memory(225_800 * 1024), podOf('web', 0, {}), use({ containers })),
    'The node was low on resource: memory. Threshold quantity: 750Mi, available: 225800Ki. Container c was using 4395616Ki, request is 0, has larger consumption of memory. ',
  );
  t.equal(
    pressureMessage(threshold, memory(0), podOf('web', 0, { memory: '128M' }), undefined),
    'The node was low on resource: memory. Threshold quantity: 750Mi, available: 0. ',
  );
  const [pids] = parseThresholds({ ...noFlags, hard: 'pid.available<100' }).filter(
    ({ signal }) => signal === 'pid.available',
  );
  if (!pids) throw new Error('no threshold');
  t.equal(
    pressureMessage(
      pids,
      of({ 'pid.available': { available: 7, capacity: 1000 } }),
      podOf('web', 0, {}),
      use(),
    ),
    'The node was low on resource: pids. Threshold quantity: 100, available: 7. ',
  );
});

t.test('storage limits', async (t) => {
  const limited = makePod('web', {
    spec: {
      containers: [
        { name: 'a', resources: { limits: { 'ephemeral-storage': '1Mi' } } },
        { name: 'b', resources: { limits: { 'ephemeral-storage': '2Mi' } } },
      ],
      volumes: [
        { name: 'cache', emptyDir: { sizeLimit: '1Mi' } },
        { name: 'ram', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
      ],
    },
  });
  const disk = (bytes: number) => ({ bytes, inodes: 1 });
  const container = (name: string, layerBytes: number, logs = 0) => ({
    ...{ name, memoryBytes: 0, layerBytes },
    logs: disk(logs),
  });
  const check = (fields: Partial<PodUse>, parts = everything) => exceededLimit(limited, use(fields), parts);
  t.ok(hasStorageLimit(limited));
  t.notOk(hasStorageLimit(makePod('plain', { spec: { volumes: [{ name: 'cache', emptyDir: {} }] } })));
  t.equal(check({}), undefined);
  t.equal(check({ volumes: new Map([['cache', disk(mi)]]) }), undefined);
  t.equal(
    check({ volumes: new Map([['cache', disk(mi + 4096)]]) }),
    'Usage of EmptyDir volume "cache" exceeds the limit "1Mi". ',
  );
  t.equal(check({ volumes: new Map([['ram', disk(2 * mi)]]) }), undefined, 'memory is not disk');
  t.equal(
    check({ containers: [container('a', mi, 4096)] }),
    'Container a exceeded its local ephemeral storage limit "1Mi". ',
  );
  t.equal(
    check({
      containers: [container('a', mi), container('b', 2 * mi)],
      volumes: new Map([['cache', disk(1)]]),
    }),
    'Pod ephemeral local storage usage exceeds the total limit of containers 3Mi. ',
  );
  t.equal(
    check({ containers: [container('a', 9 * mi)] }, { layers: false, logsAndVolumes: true }),
    undefined,
    'layers on a disk of their own do not count',
  );
});

t.test('the walk counts blocks and follows nothing', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'wherry-walk-'));
  t.teardown(() => rm(root, { recursive: true }));
  const { signal } = new AbortController();
  const inside = join(root, 'volume');
  await mkdir(join(inside, 'a', 'b'), { recursive: true });
  await mkdir(join(root, 'outside'));
  await writeFile(join(root, 'outside', 'big'), Buffer.alloc(8 * mi));
  const empty = await measureDirectory(inside, signal);
  t.equal(empty.inodes, 3);
  await writeFile(join(inside, 'a', 'b', 'file'), Buffer.alloc(mi));
  await writeFile(Buffer.concat([Buffer.from(`${inside}/a/`), Buffer.from([0xff, 0xfe])]), Buffer.alloc(mi));
  await symlink(join(root, 'outside'), join(inside, 'link'));
  const full = await measureDirectory(inside, signal);
  t.equal(full.inodes, 6, 'names that are no UTF-8 count, a link counts as itself');
  t.ok(full.bytes - empty.bytes >= 2 * mi && full.bytes - empty.bytes < 3 * mi, `${full.bytes}`);
  t.same(await measureDirectory(join(inside, 'link'), signal), { bytes: 0, inodes: 0 });
  t.same(await measureDirectory(join(root, 'none'), signal), { bytes: 0, inodes: 0 });
  await t.rejects(measureDirectory(inside, AbortSignal.abort(new Error('stop'))), { message: 'stop' });
});

/** A node with pods whose use and end a test sets. */
async function world(flags: Partial<typeof noFlags> = {}) {
  const clock = createFakeClock();
  const state = {
    pods: [] as Pod[],
    observations: memory(gi),
    hasImageFs: false,
    uses: new Map<string, PodUse>(),
    running: new Set<string>(),
    ended: [] as [string, PodEnd][],
    events: [] as string[],
    measured: 0,
    cleared: 0,
    onClear: (): void => undefined,
    changes: 0,
  };
  const eviction = createEviction({
    rules: { thresholds: parseThresholds({ ...noFlags, ...flags }), transitionMs: 300_000 },
    maxPodGraceSeconds: 20,
    observe: async () => state,
    measure: {
      memory: async () => state.uses,
      disk: async () => {
        state.measured += 1;
        return state.uses;
      },
    },
    pods: () => state.pods,
    end: (uid, end) => void state.ended.push([uid, end]),
    hasLeft: (uid) => !state.running.has(uid),
    clearUp: async () => {
      state.cleared += 1;
      state.onClear();
    },
    node: () => ({ metadata: { name: 'node-1' } }),
    recorder: { event: (_object, _type, reason, message) => void state.events.push(`${reason}: ${message}`) },
    onChange: () => {
      state.changes += 1;
    },
    clock,
    log: silentLogger,
  });
  await eviction.start(new AbortController().signal);
  t.teardown(() => eviction.stop());
  await clock.advance(1);
  return { clock, state, eviction };
}

t.test('under memory pressure one pod goes at a time', async (t) => {
  const { clock, state, eviction } = await world();
  t.same([...eviction.pressures()], []);
  state.pods = [podOf('a', 0, {}), podOf('b', 0, {}), podOf('c', 2_000_000_000, {})];
  state.uses = new Map([
    ['a', use({ memoryBytes: mi })],
    ['b', use({ memoryBytes: gi })],
    ['c', use({ memoryBytes: 2 * gi })],
  ]);
  state.running = new Set(['a', 'b', 'c']);
  state.observations = memory(50 * mi);
  await clock.advance(10_000);
  t.same([...eviction.pressures()], ['MemoryPressure']);
  t.equal(state.changes, 1);
  t.equal(state.cleared, 0, 'images take no memory');
  const message = 'The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. ';
  t.same(state.ended, [
    [
      'b',
      {
        reason: 'Evicted',
        message,
        graceSeconds: 0,
        disruption: { reason: 'TerminationByKubelet', message },
      },
    ],
  ]);
  t.same(state.events, ['EvictionThresholdMet: Attempting to reclaim memory', `Evicted: ${message}`]);
  await clock.advance(5_000);
  t.equal(state.ended.length, 1, 'waits for it');
  state.running.delete('b');
  await clock.advance(1_000);
  t.same(
    state.ended.map(([uid]) => uid),
    ['b', 'a'],
    'not enough: the next',
  );
  state.running.delete('a');
  await clock.advance(20_000);
  t.equal(state.ended.length, 2, 'a critical pod stays');
  state.observations = memory(gi);
  await clock.advance(285_000);
  t.same([...eviction.pressures()], ['MemoryPressure']);
  await clock.advance(30_000);
  t.same([...eviction.pressures()], []);
});

t.test('a pod that does not end does not block the others', async (t) => {
  const { clock, state } = await world();
  state.pods = [podOf('a', 0, {}), podOf('b', 1, {})];
  state.running = new Set(['a', 'b']);
  state.observations = memory(1);
  await clock.advance(10_000);
  t.equal(state.ended.length, 1);
  await clock.advance(32_000);
  t.same(
    state.ended.map(([uid]) => uid),
    ['a', 'b'],
  );
});

t.test('disk: clearing up may be enough', async (t) => {
  const { clock, state, eviction } = await world();
  const disk = (available: number) => of({ 'nodefs.available': { available, capacity: 100 } });
  state.pods = [podOf('a', 0, {})];
  state.observations = disk(5);
  state.onClear = () => {
    state.observations = disk(50);
  };
  await clock.advance(10_000);
  t.same([[...eviction.pressures()], state.cleared, state.ended], [['DiskPressure'], 1, []]);
  state.onClear = () => undefined;
  state.observations = disk(5);
  await clock.advance(10_000);
  t.same([state.cleared, state.ended.length], [2, 1]);
});

t.test('images on a disk of their own', async (t) => {
  const { clock, state } = await world();
  state.hasImageFs = true;
  state.pods = [podOf('a', 0, {})];
  state.observations = of({ 'nodefs.available': { available: 5, capacity: 100 } });
  await clock.advance(10_000);
  t.same([state.cleared, state.ended.length], [0, 1], 'images would free nothing there');
  state.pods = [podOf('b', 0, {})];
  state.observations = of({ 'imagefs.available': { available: 5, capacity: 100 } });
  await clock.advance(1_500);
  t.same([state.cleared, state.ended.length], [1, 2]);
});

t.test('a soft threshold leaves the pod a grace period', async (t) => {
  const { clock, state } = await world({
    soft: 'memory.available<1Gi',
    softGracePeriod: 'memory.available=25s',
  });
  state.pods = [podOf('a', 0, {})];
  state.observations = memory(gi - 1);
  await clock.advance(20_000);
  t.same(state.ended, []);
  await clock.advance(20_000);
  t.match(state.ended, [['a', { graceSeconds: 20 }]]);
});

t.test('limits are measured only where there are some', async (t) => {
  const { clock, state, eviction } = await world();
  state.pods = [podOf('plain', 0, {})];
  await clock.advance(60_000);
  t.equal(state.measured, 0);
  const limited = makePod('limited', {
    meta: { uid: 'limited' },
    spec: { volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Mi' } }] },
    status: { phase: 'Running' },
  });
  state.pods = [limited];
  state.uses.set('limited', use({ volumes: new Map([['v', { bytes: 2 * mi, inodes: 1 }]]) }));
  await clock.advance(10_000);
  t.equal(state.measured, 1);
  t.same(state.ended, [
    [
      'limited',
      {
        reason: 'Evicted',
        message: 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". ',
        graceSeconds: 0,
      },
    ],
  ]);
  t.same([...eviction.pressures()], []);
  await clock.advance(60_000);
  t.equal(state.ended.length, 1, 'once');
});
