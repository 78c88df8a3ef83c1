/**
 * Limits as the files of cgroup v1 and v2 and as the properties of systemd want them. Pure. Called by tree.ts and
 * slices.ts.
 */
import type { LinuxResources } from '../runtime/runtime.js';

export type CgroupVersion = 1 | 2;

/** Limits of a cgroup of ours; those of containers are the runtime's to write. */
export interface CgroupLimits extends LinuxResources {
  /** What is never reclaimed (`memory.min`); cgroup v2 only. */
  memoryMinBytes?: number;
  /** What may be swapped out; cgroup v2 only. */
  swapBytes?: number;
}

export interface Setting {
  /** v1 hierarchy the file lives in; v2 has only one. */
  controller: 'cpu' | 'memory' | 'pids' | 'hugetlb';
  file: string;
  value: string;
  /** Older kernels do not have the file. */
  isOptional?: boolean;
}

/** `all`: what `limits` does not name becomes unlimited; else it stays as it is. */
export type Scope = 'named' | 'all';

/** cgroup v1 shares (2 to 262144) on the scale of v2 weights (1 to 10000), as runc and kubelet do. */
export const sharesToWeight = (shares: number): number => 1 + Math.floor(((shares - 2) * 9999) / 262_142);

/** Back again, as near as whole numbers allow. */
export const weightToShares = (weight: number): number => 2 + Math.ceil(((weight - 1) * 262_142) / 9999);

/** In the order to write them: v1 checks a quota against the period. */
export function settings(limits: CgroupLimits, version: CgroupVersion, scope: Scope = 'named'): Setting[] {
  const { cpuShares, cpuQuota, cpuPeriod = 100_000, memoryBytes, pidsLimit } = limits;
  const list: Setting[] = [];
  const set = (controller: Setting['controller'], file: string, value: string | number | undefined): void => {
    if (value !== undefined) list.push({ controller, file, value: String(value) });
  };
  const unlimited = <T>(value: T): T | undefined => (scope === 'all' ? value : undefined);
  if (version === 1) {
    set('cpu', 'cpu.shares', cpuShares);
    if (cpuQuota !== undefined) set('cpu', 'cpu.cfs_period_us', cpuPeriod);
    set('cpu', 'cpu.cfs_quota_us', cpuQuota ?? unlimited(-1));
    set('memory', 'memory.limit_in_bytes', memoryBytes ?? unlimited(-1));
  } else {
    if (cpuShares !== undefined) set('cpu', 'cpu.weight', sharesToWeight(cpuShares));
    set('cpu', 'cpu.max', cpuQuota === undefined ? unlimited('max') : `${cpuQuota} ${cpuPeriod}`);
    set('memory', 'memory.max', memoryBytes ?? unlimited('max'));
    set('memory', 'memory.low', limits.memoryReservationBytes ?? unlimited(0));
    set('memory', 'memory.min', limits.memoryMinBytes ?? unlimited(0));
    // Missing in kernels that do not account for swap.
    if (limits.swapBytes !== undefined)
      list.push({
        controller: 'memory',
        file: 'memory.swap.max',
        value: `${limits.swapBytes}`,
        isOptional: true,
      });
  }
  set('pids', 'pids.max', pidsLimit ?? unlimited('max'));
  return [...list, ...hugePageSettings(limits, version)];
}

/** The files that systemd has no property for; also used, and reserved but not yet used, pages. */
export function hugePageSettings({ hugePageBytes = {} }: CgroupLimits, version: CgroupVersion): Setting[] {
  const file = version === 1 ? 'limit_in_bytes' : 'max';
  return Object.entries(hugePageBytes).flatMap(([size, bytes]) =>
    [`hugetlb.${size}.${file}`, `hugetlb.${size}.rsvd.${file}`].map((name) => ({
      controller: 'hugetlb' as const,
      file: name,
      value: String(bytes),
      isOptional: true,
    })),
  );
}

/** One property of a unit as `busctl` takes it: name, D-Bus type, value. */
export type UnitProperty = readonly [name: string, type: 's' | 'b' | 't' | 'as', ...value: string[]];

/** How systemd writes "no limit" (the largest number of 64 bits). */
const infinity = '18446744073709551615';

/** Properties of a slice; systemd wants the quota per second. */
export function unitProperties(
  limits: CgroupLimits,
  version: CgroupVersion,
  scope: Scope = 'named',
): UnitProperty[] {
  const { cpuShares, cpuQuota, cpuPeriod = 100_000, memoryBytes, pidsLimit } = limits;
  const list: UnitProperty[] = [];
  const set = (name: string, value: number | undefined, unlimited: string): void => {
    if (value !== undefined || scope === 'all') list.push([name, 't', value?.toString() ?? unlimited]);
  };
  if (cpuShares !== undefined) {
    list.push(
      version === 1 ? ['CPUShares', 't', `${cpuShares}`] : ['CPUWeight', 't', `${sharesToWeight(cpuShares)}`],
    );
  }
  if (cpuQuota !== undefined) list.push(['CPUQuotaPeriodUSec', 't', `${cpuPeriod}`]);
  // systemd keeps whole percents: rounded up, so that a container never gets less than it was promised.
  const perSecond = cpuQuota && Math.ceil((cpuQuota * 1_000_000) / cpuPeriod / 10_000) * 10_000;
  set('CPUQuotaPerSecUSec', perSecond, infinity);
  set(version === 1 ? 'MemoryLimit' : 'MemoryMax', memoryBytes, infinity);
  if (version === 2) {
    set('MemoryLow', limits.memoryReservationBytes, '0');
    set('MemoryMin', limits.memoryMinBytes, '0');
    if (limits.swapBytes !== undefined) list.push(['MemorySwapMax', 't', `${limits.swapBytes}`]);
  }
  set('TasksMax', pidsLimit, infinity);
  return list;
}
