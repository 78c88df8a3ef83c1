/**
 * Limits as the files of cgroup v1 and v2 and as the properties of systemd want them. Pure. Called by tree.ts and
 * slices.ts.
 */
import type { LinuxResources } from '../runtime/runtime.js';

export type CgroupVersion = 1 | 2;

export interface Setting {
  /** v1 hierarchy the file lives in; v2 has only one. */
  controller: 'cpu' | 'memory' | 'pids';
  file: string;
  value: string;
}

/** cgroup v1 shares (2 to 262144) on the scale of v2 weights (1 to 10000), as runc and kubelet do. */
export const sharesToWeight = (shares: number): number => 1 + Math.floor(((shares - 2) * 9999) / 262_142);

/** Back again, as near as whole numbers allow. */
export const weightToShares = (weight: number): number => 2 + Math.ceil(((weight - 1) * 262_142) / 9999);

/** In the order to write them: v1 checks a quota against the period. */
export function settings(limits: LinuxResources, version: CgroupVersion): Setting[] {
  const { cpuShares, cpuQuota, cpuPeriod = 100_000, memoryBytes, pidsLimit } = limits;
  const list: Setting[] = [];
  const set = (controller: Setting['controller'], file: string, value: string | number): void => {
    list.push({ controller, file, value: String(value) });
  };
  if (version === 1) {
    if (cpuShares !== undefined) set('cpu', 'cpu.shares', cpuShares);
    if (cpuQuota !== undefined) set('cpu', 'cpu.cfs_period_us', cpuPeriod);
    if (cpuQuota !== undefined) set('cpu', 'cpu.cfs_quota_us', cpuQuota);
    if (memoryBytes !== undefined) set('memory', 'memory.limit_in_bytes', memoryBytes);
  } else {
    if (cpuShares !== undefined) set('cpu', 'cpu.weight', sharesToWeight(cpuShares));
    if (cpuQuota !== undefined) set('cpu', 'cpu.max', `${cpuQuota} ${cpuPeriod}`);
    if (memoryBytes !== undefined) set('memory', 'memory.max', memoryBytes);
  }
  if (pidsLimit !== undefined) set('pids', 'pids.max', pidsLimit);
  return list;
}

/** One property of a unit as `busctl` takes it: name, D-Bus type, value. */
export type UnitProperty = readonly [name: string, type: 's' | 'b' | 't' | 'as', ...value: string[]];

/** Properties of a slice; systemd wants the quota per second. */
export function unitProperties(limits: LinuxResources, version: CgroupVersion): UnitProperty[] {
  const { cpuShares, cpuQuota, cpuPeriod = 100_000, memoryBytes, pidsLimit } = limits;
  const list: UnitProperty[] = [];
  if (cpuShares !== undefined) {
    list.push(
      version === 1 ? ['CPUShares', 't', `${cpuShares}`] : ['CPUWeight', 't', `${sharesToWeight(cpuShares)}`],
    );
  }
  if (cpuQuota !== undefined) {
    list.push(['CPUQuotaPeriodUSec', 't', `${cpuPeriod}`]);
    // systemd keeps whole percents: rounded up, so that a container never gets less than it was promised.
    const perSecond = Math.ceil((cpuQuota * 1_000_000) / cpuPeriod / 10_000) * 10_000;
    list.push(['CPUQuotaPerSecUSec', 't', `${perSecond}`]);
  }
  if (memoryBytes !== undefined)
    list.push([version === 1 ? 'MemoryLimit' : 'MemoryMax', 't', `${memoryBytes}`]);
  if (pidsLimit !== undefined) list.push(['TasksMax', 't', `${pidsLimit}`]);
  return list;
}
