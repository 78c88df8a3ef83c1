/**
 * The flags of `wherry agent`, checked. The CLI hands in strings by camel-case name, the composition root (`main.ts`)
 * gets typed values. Every refusal names the flag, the value and what would be right. The defaults that depend on the
 * host (its name) are looked up here; the node's address is found out at the start, see `main.ts`.
 */
import { hostname } from 'node:os';
import { dnsSubdomainErrors } from '../src/api/names.js';
import {
  durationFlag,
  given,
  ipFlag,
  logLevelFlag,
  networkFlags,
  numberFlag,
  parsedFlag,
  pathFlag,
  portFlag,
  type RawFlags,
  wrongFlag,
} from '../src/host/config.js';
import { type ListenOptions, listenFlags } from '../src/host/listen.js';
import type { LogLevel } from '../src/host/log.js';
import { type ReclaimFlags, reclaimFlags } from './eviction/flags.js';
import { type ImageFlags, imageFlags } from './images/flags.js';
import { parseEnforced, parseNodeLabels, parseReserved, parseTaints, type Taint } from './optionlists.js';
import { type PodConfig, parsePodConfig } from './pods/nodeconfig.js';
import { defaultSockets, type RuntimeName } from './runtime/open.js';

export interface AgentOptions extends ReclaimFlags, ImageFlags {
  /** `https://host:port` of the master. */
  server: string;
  /** Join token; needed for the first start only. */
  token: string | undefined;
  nodeName: string;
  /** Address of this node; the one that reaches the master when absent. */
  nodeIp: string | undefined;
  dataDir: string;
  runtime: RuntimeName;
  /** Path of the runtime's socket. */
  runtimeEndpoint: string;
  clusterCidr: string;
  serviceCidr: string;
  /** cgroup below which pods live. */
  cgroupRoot: string;
  agentPort: number;
  bindAddress: string;
  cniConfDir: string;
  nodeLabels: Record<string, string>;
  registerWithTaints: readonly Taint[];
  maxPods: number;
  /** Processes of one pod; undefined for no limit. */
  podMaxPids: number | undefined;
  /** Whether cpu limits of containers are enforced. */
  cpuCfsQuota: boolean;
  /** Kept back for the host's own daemons and for the runtime and this agent: cpu, memory, ephemeral-storage, pid. */
  systemReserved: Readonly<Record<string, string>>;
  kubeReserved: Readonly<Record<string, string>>;
  /** What is held to what is allocatable. */
  enforceNodeAllocatable: readonly 'pods'[];
  /** Whether memory requests are protected from reclaim (cgroup v2). */
  memoryReservationPolicy: 'None' | 'TieredReservation';
  /** How long a shutdown of the host waits for pods to end; 0: it does not. */
  shutdownGracePeriodMs: number;
  /** The last part of it, which critical pods get. */
  shutdownGracePeriodCriticalPodsMs: number;
  /** exec, attach and port-forward on which nothing moves for so long are closed; 0: never. */
  streamingConnectionIdleTimeoutMs: number;
  /** Where others look for the logs of containers: `<it>/pods`, `<it>/containers`. */
  logDirectory: string;
  /** A directory of manifests, or one file: pods that run here whatever the API says. */
  podManifestPath: string | undefined;
  /** DNS, sysctls and seccomp of pods. */
  podConfig: PodConfig;
  listen: ListenOptions;
  logLevel: LogLevel;
}

/** Throws an `Error` whose message can be shown as it is. */
export function parseAgentOptions(raw: RawFlags): AgentOptions {
  return {
    server: server(raw),
    token: given(raw, 'token'),
    nodeName: nodeName(raw),
    nodeIp: ipFlag(raw, 'node-ip'),
    dataDir: pathFlag(raw, 'data-dir', '/var/lib/wherry'),
    runtime: runtime(raw),
    runtimeEndpoint: endpoint(raw),
    ...networkFlags(raw),
    cgroupRoot: pathFlag(raw, 'cgroup-root', '/kubepods'),
    agentPort: portFlag(raw, 'agent-port', 10250),
    bindAddress: ipFlag(raw, 'bind-address') ?? '0.0.0.0',
    cniConfDir: pathFlag(raw, 'cni-conf-dir', '/etc/cni/net.d'),
    nodeLabels: parsedFlag(raw, 'node-labels', parseNodeLabels, {}),
    registerWithTaints: parsedFlag(raw, 'register-with-taints', parseTaints, []),
    maxPods: numberFlag(raw, 'max-pods', { otherwise: 110, from: 1, to: 5000 }),
    podMaxPids: podMaxPids(raw),
    cpuCfsQuota: parsedFlag(raw, 'cpu-cfs-quota', parseBoolean, true),
    systemReserved: parsedFlag(raw, 'system-reserved', parseReserved, {}),
    kubeReserved: parsedFlag(raw, 'kube-reserved', parseReserved, {}),
    enforceNodeAllocatable: parsedFlag(raw, 'enforce-node-allocatable', parseEnforced, ['pods']),
    memoryReservationPolicy: parsedFlag(raw, 'memory-reservation-policy', parseReservationPolicy, 'None'),
    ...shutdownGrace(raw),
    ...reclaimFlags(raw),
    ...imageFlags(raw),
    streamingConnectionIdleTimeoutMs: durationFlag(raw, 'streaming-connection-idle-timeout', '4h'),
    logDirectory: pathFlag(raw, 'log-dir', '/var/log'),
    podManifestPath:
      given(raw, 'pod-manifest-path') === undefined ? undefined : pathFlag(raw, 'pod-manifest-path', ''),
    podConfig: parsePodConfig(raw),
    listen: listenFlags(raw),
    logLevel: logLevelFlag(raw),
  };
}

/** A clean-up needs no master: the address is checked for its form and used by the start only. */
function server(raw: RawFlags): string {
  const value = given(raw, 'server') ?? 'https://127.0.0.1:6443';
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol !== 'https:' || url.pathname !== '/') {
    throw wrongFlag('server', value, 'is no address of a master; write it like https://192.0.2.1:6443');
  }
  return url.origin;
}

function parseBoolean(text: string): boolean {
  if (text !== 'true' && text !== 'false') throw new Error(`${JSON.stringify(text)} must be true or false`);
  return text === 'true';
}

/** As with kubelet, -1 is no limit. */
function podMaxPids(raw: RawFlags): number | undefined {
  if (given(raw, 'pod-max-pids') === '-1') return undefined;
  return numberFlag(raw, 'pod-max-pids', { otherwise: 0, from: 1, to: 4_194_304 }) || undefined;
}

function parseReservationPolicy(text: string): AgentOptions['memoryReservationPolicy'] {
  if (text !== 'None' && text !== 'TieredReservation')
    throw new Error(`${JSON.stringify(text)} must be None or TieredReservation`);
  return text;
}

function shutdownGrace(
  raw: RawFlags,
): Pick<AgentOptions, 'shutdownGracePeriodMs' | 'shutdownGracePeriodCriticalPodsMs'> {
  const flag = 'shutdown-grace-period-critical-pods';
  const all = durationFlag(raw, 'shutdown-grace-period', '0s');
  const critical = durationFlag(raw, flag, '0s');
  if (critical > all) throw wrongFlag(flag, given(raw, flag) ?? '', 'is more than --shutdown-grace-period');
  return { shutdownGracePeriodMs: all, shutdownGracePeriodCriticalPodsMs: critical };
}

function nodeName(raw: RawFlags): string {
  const value = given(raw, 'node-name') ?? hostname().toLowerCase();
  if (dnsSubdomainErrors(value).length > 0) {
    throw wrongFlag(
      'node-name',
      value,
      'is no name for a node: lower case letters, digits, "-" and "." only',
    );
  }
  return value;
}

function runtime(raw: RawFlags): RuntimeName {
  const value = given(raw, 'runtime') ?? 'docker';
  if (value === 'docker' || value === 'containerd') return value;
  throw wrongFlag('runtime', value, 'is not supported; take "docker" or "containerd"');
}

function endpoint(raw: RawFlags): string {
  const otherwise = `unix://${defaultSockets[runtime(raw)]}`;
  const value = given(raw, 'runtime-endpoint') ?? otherwise;
  const path = value.replace(/^unix:\/\//, '');
  if (!path.startsWith('/'))
    throw wrongFlag('runtime-endpoint', value, `is no socket; write it like ${otherwise}`);
  return path;
}
