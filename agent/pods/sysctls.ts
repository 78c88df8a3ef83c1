/**
 * Which sysctls a pod may set ("Using sysctls in a Kubernetes Cluster"): the safe ones always, others of its own
 * namespaces when the node allows them (`--allowed-unsafe-sysctls`), never those of a namespace it shares with the host.
 * Pure but for the kernel's version, which is an argument. Called by `sandbox.ts` and by the node's admission.
 */
import { release } from 'node:os';
import type { Pod } from '../../src/api/types.js';

/** Safe: of a namespace of the pod, and without influence on others. With the kernel that made them so. */
const safeSysctls: readonly [name: string, kernel: string][] = [
  ['kernel.shm_rmid_forced', '0'],
  ['net.ipv4.ip_local_port_range', '0'],
  ['net.ipv4.tcp_syncookies', '0'],
  ['net.ipv4.ping_group_range', '0'],
  ['net.ipv4.ip_unprivileged_port_start', '0'],
  ['net.ipv4.ip_local_reserved_ports', '3.16'],
  ['net.ipv4.tcp_keepalive_time', '4.5'],
  ['net.ipv4.tcp_fin_timeout', '4.6'],
  ['net.ipv4.tcp_keepalive_intvl', '4.5'],
  ['net.ipv4.tcp_keepalive_probes', '4.5'],
  ['net.ipv4.tcp_rmem', '4.15'],
  ['net.ipv4.tcp_wmem', '4.15'],
];

/** What has a namespace at all, and which. */
const namespaced: readonly [pattern: string, namespace: 'ipc' | 'net'][] = [
  ['kernel.sem', 'ipc'],
  ['kernel.shm*', 'ipc'],
  ['kernel.msg*', 'ipc'],
  ['fs.mqueue.*', 'ipc'],
  ['net.*', 'net'],
];

const matches = (pattern: string, name: string): boolean =>
  pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;

const namespaceOf = (name: string): 'ipc' | 'net' | undefined =>
  namespaced.find(([pattern]) => matches(pattern, name))?.[1];

/** Names are written with dots or with slashes; the first of either says which one separates. */
export function sysctlName(name: string): string {
  const separator = /[./]/.exec(name)?.[0];
  if (separator !== '/') return name;
  return name.replace(/[./]/g, (found) => (found === '/' ? '.' : '/'));
}

/** One message, worded as kubelet does, for each sysctl that the pod may not set; none: all are fine. */
export function forbiddenSysctls(pod: Pod, allowed: readonly string[], kernel: string = release()): string[] {
  const { hostNetwork, hostIPC, securityContext } = pod.spec ?? {};
  return (securityContext?.sysctls ?? []).flatMap(({ name }) => {
    const known = sysctlName(name);
    const namespace = namespaceOf(known);
    const shared = (namespace === 'net' && hostNetwork) || (namespace === 'ipc' && hostIPC);
    const quoted = JSON.stringify(name);
    if (shared) return [`forbidden sysctl: ${quoted} not allowed with host ${namespace} enabled`];
    const isSafe = safeSysctls.some(([safe, since]) => safe === known && isAtLeast(kernel, since));
    const isAllowed = allowed.some((pattern) => matches(sysctlName(pattern), known));
    return isSafe || isAllowed ? [] : [`forbidden sysctl: ${quoted} not allowlisted`];
  });
}

function isAtLeast(kernel: string, since: string): boolean {
  const [major = 0, minor = 0] = (/^\d+(\.\d+)?/.exec(kernel)?.[0] ?? '').split('.').map(Number);
  const [sinceMajor = 0, sinceMinor = 0] = since.split('.').map(Number);
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
}

/** The values of `--allowed-unsafe-sysctls`: names, or prefixes that end in `*`. Throws for what has no namespace. */
export function parseSysctlPatterns(text: string): string[] {
  const patterns = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  for (const pattern of patterns) {
    if (!/^[A-Za-z0-9_-]+([./][A-Za-z0-9_-]+)*([./]?\*)?$/.test(pattern))
      throw new Error(`${JSON.stringify(pattern)} is no name of a sysctl, nor the beginning of one and "*"`);
    const name = sysctlName(pattern).replace(/\*$/, '');
    if (namespaceOf(name) === undefined)
      throw new Error(`${JSON.stringify(pattern)} is not of a namespace: it would change the whole node`);
  }
  return patterns;
}
