/**
 * The flags of `wherry agent`, checked. The CLI hands in strings by camel-case name, the composition root (`main.ts`)
 * gets typed values. Every refusal names the flag, the value and what would be right. The defaults that depend on the
 * host (its name) are looked up here; the node's address is found out at the start, see `main.ts`.
 */
import { hostname } from 'node:os';
import { dnsSubdomainErrors } from '../src/api/names.js';
import {
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
import type { LogLevel } from '../src/host/log.js';
import { parseKeyValues, parseTaints, type Taint } from './optionlists.js';

export interface AgentOptions {
  /** `https://host:port` of the master. */
  server: string;
  /** Join token; needed for the first start only. */
  token: string | undefined;
  nodeName: string;
  /** Address of this node; the one that reaches the master when absent. */
  nodeIp: string | undefined;
  dataDir: string;
  runtime: 'docker';
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
    nodeLabels: parsedFlag(raw, 'node-labels', parseKeyValues, {}),
    registerWithTaints: parsedFlag(raw, 'register-with-taints', parseTaints, []),
    maxPods: numberFlag(raw, 'max-pods', { otherwise: 110, from: 1, to: 5000 }),
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

function runtime(raw: RawFlags): 'docker' {
  const value = given(raw, 'runtime') ?? 'docker';
  if (value !== 'docker') throw wrongFlag('runtime', value, 'is not supported; take "docker"');
  return value;
}

function endpoint(raw: RawFlags): string {
  const value = given(raw, 'runtime-endpoint') ?? 'unix:///var/run/docker.sock';
  const path = value.replace(/^unix:\/\//, '');
  if (!path.startsWith('/'))
    throw wrongFlag('runtime-endpoint', value, 'is no socket; write it like unix:///var/run/docker.sock');
  return path;
}
