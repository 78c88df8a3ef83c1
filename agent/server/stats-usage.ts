/**
 * What a cgroup, and the whole machine, have used: from the files of cgroup v1 and v2 and /proc. Parsing is pure; a
 * handful of small reads per cgroup, no processes. Called by stats.ts.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../src/host/files.js';
import { type Hierarchy, parseHierarchies } from '../cgroups/tree.js';
import { memoryOf } from '../node/machine.js';

export interface Usage {
  /** All that it ever used, in nanoseconds. */
  cpuNanos: number;
  cpuUserNanos: number;
  cpuSystemNanos: number;
  /** Of the enforcement of a quota. */
  periods: number;
  throttledPeriods: number;
  throttledNanos: number;
  memoryBytes: number;
  /** What cannot be reclaimed at once: memory without inactive file pages. */
  workingSetBytes: number;
  rssBytes: number;
  cacheBytes: number;
  swapBytes: number;
  pageFaults: number;
  majorPageFaults: number;
  /** `undefined` for no limit. */
  memoryLimitBytes: number | undefined;
  processes: number;
  /** Of block devices; absent where the kernel does not count. */
  io?: IoUsage;
}

/** Since its start, all devices together. */
export interface IoUsage {
  readBytes: number;
  writeBytes: number;
  reads: number;
  writes: number;
}

export interface InterfaceUsage {
  name: string;
  rxBytes: number;
  rxPackets: number;
  rxErrors: number;
  rxDropped: number;
  txBytes: number;
  txPackets: number;
  txErrors: number;
  txDropped: number;
}

type Numbers = Readonly<Record<string, number>>;

/** `name value` per line. */
export function parseFlat(text: string): Numbers {
  const pairs = text.split('\n').map((line) => line.split(/\s+/));
  return Object.fromEntries(pairs.flatMap(([name, value]) => (name && value ? [[name, Number(value)]] : [])));
}

/** The contents of the files of one cgroup by name; '' for those that are not there. */
export type CgroupFiles = Readonly<Record<string, string>>;

/** Limits above this mean none: v1 has no word for that. */
const unlimitedBytes = 2 ** 60;

/** Clock ticks per second of v1's cpuacct.stat and of /proc/stat, the same on all Linux architectures. */
const tickNanos = 1e9 / 100;

export function usageOfV1(files: CgroupFiles): Usage {
  const memory = parseFlat(files['memory.stat'] ?? '');
  const times = parseFlat(files['cpuacct.stat'] ?? '');
  const throttling = parseFlat(files['cpu.stat'] ?? '');
  const memoryBytes = Number(files['memory.usage_in_bytes'] ?? 0);
  const limit = Number(files['memory.limit_in_bytes'] || unlimitedBytes);
  const of = (name: string): number => memory[`total_${name}`] ?? 0;
  return {
    cpuNanos: Number(files['cpuacct.usage'] ?? 0),
    cpuUserNanos: (times['user'] ?? 0) * tickNanos,
    cpuSystemNanos: (times['system'] ?? 0) * tickNanos,
    periods: throttling['nr_periods'] ?? 0,
    throttledPeriods: throttling['nr_throttled'] ?? 0,
    throttledNanos: throttling['throttled_time'] ?? 0,
    memoryBytes,
    workingSetBytes: Math.max(0, memoryBytes - of('inactive_file')),
    rssBytes: of('rss'),
    cacheBytes: of('cache'),
    swapBytes: of('swap'),
    pageFaults: of('pgfault'),
    majorPageFaults: of('pgmajfault'),
    memoryLimitBytes: limit < unlimitedBytes ? limit : undefined,
    processes: Number(files['pids.current'] || 0),
    ...ioOfV1(files),
  };
}

/** Lines of `8:0 Read 4096`. */
function ioOfV1(files: CgroupFiles): { io?: IoUsage } {
  const bytes = files['blkio.throttle.io_service_bytes_recursive'];
  const counts = files['blkio.throttle.io_serviced_recursive'];
  if (!bytes || !counts) return {};
  const sum = (text: string, word: string): number =>
    [...text.matchAll(new RegExp(`^\\d+:\\d+ ${word} (\\d+)$`, 'gm'))].reduce(
      (all, [, n]) => all + Number(n),
      0,
    );
  return {
    io: {
      readBytes: sum(bytes, 'Read'),
      writeBytes: sum(bytes, 'Write'),
      reads: sum(counts, 'Read'),
      writes: sum(counts, 'Write'),
    },
  };
}

/** Lines of `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0`. */
function ioOfV2(files: CgroupFiles): { io?: IoUsage } {
  const text = files['io.stat'];
  if (!text) return {};
  const sum = (name: string): number =>
    [...text.matchAll(new RegExp(` ${name}=(\\d+)`, 'g'))].reduce((all, [, n]) => all + Number(n), 0);
  return {
    io: { readBytes: sum('rbytes'), writeBytes: sum('wbytes'), reads: sum('rios'), writes: sum('wios') },
  };
}

export function usageOfV2(files: CgroupFiles): Usage {
  const memory = parseFlat(files['memory.stat'] ?? '');
  const cpu = parseFlat(files['cpu.stat'] ?? '');
  const memoryBytes = Number(files['memory.current'] ?? 0);
  const limit = Number.parseInt(files['memory.max'] ?? '', 10);
  const nanos = (name: string): number => (cpu[name] ?? 0) * 1000;
  return {
    cpuNanos: nanos('usage_usec'),
    cpuUserNanos: nanos('user_usec'),
    cpuSystemNanos: nanos('system_usec'),
    periods: cpu['nr_periods'] ?? 0,
    throttledPeriods: cpu['nr_throttled'] ?? 0,
    throttledNanos: nanos('throttled_usec'),
    memoryBytes,
    workingSetBytes: Math.max(0, memoryBytes - (memory['inactive_file'] ?? 0)),
    rssBytes: memory['anon'] ?? 0,
    cacheBytes: memory['file'] ?? 0,
    swapBytes: Number(files['memory.swap.current'] || 0),
    pageFaults: memory['pgfault'] ?? 0,
    majorPageFaults: memory['pgmajfault'] ?? 0,
    memoryLimitBytes: Number.isNaN(limit) ? undefined : limit,
    processes: Number(files['pids.current'] || 0),
    ...ioOfV2(files),
  };
}

/** The first line of /proc/stat: user nice system idle iowait irq softirq steal, in ticks. */
export function usageOfMachine({
  stat,
  meminfo,
  vmstat,
}: Record<'stat' | 'meminfo' | 'vmstat', string>): Usage {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = (
    /^cpu +(.*)$/m.exec(stat)?.[1] ?? ''
  )
    .split(' ')
    .map((ticks) => Number(ticks) * tickNanos);
  const total = memoryOf(meminfo, 'MemTotal');
  const memoryBytes = total - memoryOf(meminfo, 'MemFree');
  const faults = parseFlat(vmstat);
  return {
    cpuNanos: user + nice + system + irq + softirq + steal,
    cpuUserNanos: user + nice,
    cpuSystemNanos: system + irq + softirq,
    ...{ periods: 0, throttledPeriods: 0, throttledNanos: 0 },
    memoryBytes,
    workingSetBytes: Math.max(0, memoryBytes - memoryOf(meminfo, 'Inactive\\(file\\)')),
    rssBytes: memoryOf(meminfo, 'AnonPages'),
    cacheBytes: memoryOf(meminfo, 'Cached'),
    swapBytes: memoryOf(meminfo, 'SwapTotal') - memoryOf(meminfo, 'SwapFree'),
    pageFaults: faults['pgfault'] ?? 0,
    majorPageFaults: faults['pgmajfault'] ?? 0,
    memoryLimitBytes: total,
    processes: 0,
  };
}

/** /proc/net/dev, without loopback and the host's ends of the pods' links. */
export function parseInterfaces(text: string): InterfaceUsage[] {
  return text.split('\n').flatMap((line) => {
    const [, name = '', rest = ''] = /^\s*([^\s:]+):\s*(.*)$/.exec(line) ?? [];
    if (name === '' || name === 'lo' || name.startsWith('veth')) return [];
    const [
      rxBytes = 0,
      rxPackets = 0,
      rxErrors = 0,
      rxDropped = 0,
      ,
      ,
      ,
      ,
      txBytes = 0,
      txPackets = 0,
      txErrors = 0,
      txDropped = 0,
    ] = rest.split(/\s+/).map(Number);
    return [{ name, rxBytes, rxPackets, rxErrors, rxDropped, txBytes, txPackets, txErrors, txDropped }];
  });
}

/** v1: which files, by controller. */
const filesOfV1 = {
  cpuacct: ['cpuacct.usage', 'cpuacct.stat'],
  cpu: ['cpu.stat'],
  memory: ['memory.usage_in_bytes', 'memory.stat', 'memory.limit_in_bytes'],
  pids: ['pids.current'],
  blkio: ['blkio.throttle.io_service_bytes_recursive', 'blkio.throttle.io_serviced_recursive'],
} as const;
const filesOfV2 = [
  'cpu.stat',
  'memory.current',
  'memory.stat',
  'memory.max',
  'memory.swap.current',
  'pids.current',
  'io.stat',
];

/** Reads cgroups by their directory below the mount points. */
export class UsageReader {
  readonly #hierarchies: readonly Hierarchy[];
  readonly #isV2: boolean;

  private constructor(hierarchies: readonly Hierarchy[]) {
    this.#hierarchies = hierarchies;
    this.#isV2 = hierarchies.every(({ isUnified }) => isUnified);
  }

  static async create(): Promise<UsageReader> {
    return new UsageReader(parseHierarchies(await readFile('/proc/self/mountinfo', 'utf8')));
  }

  /** `undefined` when there is no such cgroup (any more). */
  async read(directory: string): Promise<Usage | undefined> {
    const files = Object.fromEntries(
      await Promise.all(
        this.#pathsOf(directory).map(async ([name, path]) => [name, await readText(path)] as const),
      ),
    );
    if (!files['memory.stat'] && !files['cpu.stat'] && !files['cpuacct.usage']) return undefined;
    return this.#isV2 ? usageOfV2(files) : usageOfV1(files);
  }

  /** A process in it; 0 for none. */
  async processIn(directory: string): Promise<number> {
    const [own] = this.#hierarchies.filter(
      ({ isUnified, controllers }) => (this.#isV2 && isUnified) || controllers.includes('memory'),
    );
    return own ? Number.parseInt(await readText(join(own.path, directory, 'cgroup.procs')), 10) || 0 : 0;
  }

  #pathsOf(directory: string): [name: string, path: string][] {
    return this.#hierarchies.flatMap(({ path, controllers, isUnified }) => {
      const names = this.#isV2
        ? isUnified
          ? filesOfV2
          : []
        : Object.entries(filesOfV1).flatMap(([controller, files]) =>
            controllers.includes(controller) ? files : [],
          );
      return names.map((name): [string, string] => [name, join(path, directory, name)]);
    });
  }
}

export async function readMachineUsage(): Promise<Usage> {
  const [stat, meminfo, vmstat] = await Promise.all([
    readText('/proc/stat'),
    readText('/proc/meminfo'),
    readText('/proc/vmstat'),
  ]);
  return usageOfMachine({ stat, meminfo, vmstat });
}

/** Of the network namespace of a process; of our own when 0. */
export const readInterfaces = async (pid: number): Promise<InterfaceUsage[]> =>
  parseInterfaces(await readText(pid === 0 ? '/proc/self/net/dev' : `/proc/${pid}/net/dev`));

/** '' for what is gone or was never there. */
async function readText(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENODEV', 'ESRCH', 'EINVAL', 'EOPNOTSUPP')) return '';
    throw error;
  }
}
