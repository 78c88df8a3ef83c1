/**
 * The flags of `wherry agent`, checked. The CLI hands in strings by camel-case name, the composition root (`main.ts`)
 * gets typed values. Every refusal names the flag, the value and what would be right. The defaults that depend on the
 * host (its name) are looked up here; the node's address is found out at the start, see `main.ts`.
 */
import { hostname } from 'node:os';
import { dnsSubdomainErrors } from '../src/api/names.js';
import type { LogLevel } from '../src/host/log.js';
import { type Cidr, overlaps, parseCidr } from '../src/net/cidr.js';
import { isIp } from '../src/net/ip.js';
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

type Raw = Readonly<Record<string, string>>;

/** Throws an `Error` whose message can be shown as it is. */
export function parseAgentOptions(raw: Raw): AgentOptions {
  const options: AgentOptions = {
    server: server(raw),
    token: given(raw, 'token'),
    nodeName: nodeName(raw),
    nodeIp: ip(raw, 'node-ip'),
    dataDir: absolutePath(raw, 'data-dir', '/var/lib/wherry'),
    runtime: runtime(raw),
    runtimeEndpoint: endpoint(raw),
    clusterCidr: cidr(raw, 'cluster-cidr', '10.244.0.0/16'),
    serviceCidr: cidr(raw, 'service-cidr', '10.96.0.0/12'),
    cgroupRoot: absolutePath(raw, 'cgroup-root', '/kubepods'),
    agentPort: wholeNumber(raw, 'agent-port', { otherwise: 10250, from: 1, to: 65535 }),
    bindAddress: ip(raw, 'bind-address') ?? '0.0.0.0',
    cniConfDir: absolutePath(raw, 'cni-conf-dir', '/etc/cni/net.d'),
    nodeLabels: list(raw, 'node-labels', parseKeyValues, {}),
    registerWithTaints: list(raw, 'register-with-taints', parseTaints, []),
    maxPods: wholeNumber(raw, 'max-pods', { otherwise: 110, from: 1, to: 5000 }),
    logLevel: logLevel(raw),
  };
  const [pods, services] = [options.clusterCidr, options.serviceCidr].map((text) => parseCidr(text)) as [
    Cidr,
    Cidr,
  ];
  if (overlaps(pods, services)) {
    throw wrong(
      'service-cidr',
      options.serviceCidr,
      `overlaps with --cluster-cidr ${JSON.stringify(options.clusterCidr)}`,
    );
  }
  return options;
}

const camel = (flag: string): string =>
  flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The flag's value; an empty one counts as absent. */
const given = (raw: Raw, flag: string): string | undefined => raw[camel(flag)]?.trim() || undefined;

const wrong = (flag: string, value: string, right: string): Error =>
  new Error(`--${flag}: ${JSON.stringify(value)} ${right}`);

/** A clean-up needs no master: the address is checked for its form and used by the start only. */
function server(raw: Raw): string {
  const value = given(raw, 'server') ?? 'https://127.0.0.1:6443';
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol !== 'https:' || url.pathname !== '/') {
    throw wrong('server', value, 'is no address of a master; write it like https://192.0.2.1:6443');
  }
  return url.origin;
}

function nodeName(raw: Raw): string {
  const value = given(raw, 'node-name') ?? hostname().toLowerCase();
  if (dnsSubdomainErrors(value).length > 0) {
    throw wrong('node-name', value, 'is no name for a node: lower case letters, digits, "-" and "." only');
  }
  return value;
}

function runtime(raw: Raw): 'docker' {
  const value = given(raw, 'runtime') ?? 'docker';
  if (value !== 'docker') throw wrong('runtime', value, 'is not supported; take "docker"');
  return value;
}

function endpoint(raw: Raw): string {
  const value = given(raw, 'runtime-endpoint') ?? 'unix:///var/run/docker.sock';
  const path = value.replace(/^unix:\/\//, '');
  if (!path.startsWith('/'))
    throw wrong('runtime-endpoint', value, 'is no socket; write it like unix:///var/run/docker.sock');
  return path;
}

function absolutePath(raw: Raw, flag: string, otherwise: string): string {
  const value = given(raw, flag) ?? otherwise;
  if (!value.startsWith('/') || value.includes('\0') || value.split('/').includes('..')) {
    throw wrong(flag, value, 'must be an absolute path');
  }
  return value.length > 1 ? value.replace(/\/+$/, '') : value;
}

function ip(raw: Raw, flag: string): string | undefined {
  const value = given(raw, flag);
  if (value !== undefined && !isIp(value)) throw wrong(flag, value, 'is no IP address');
  return value;
}

function cidr(raw: Raw, flag: string, otherwise: string): string {
  const value = given(raw, flag) ?? otherwise;
  if (!parseCidr(value, true))
    throw wrong(flag, value, 'is no network; write it like 10.244.0.0/16, without host bits');
  return value;
}

function wholeNumber(raw: Raw, flag: string, range: { otherwise: number; from: number; to: number }): number {
  const value = given(raw, flag);
  if (value === undefined) return range.otherwise;
  const number = /^\d{1,9}$/.test(value) ? Number(value) : -1;
  if (number < range.from || number > range.to) {
    throw wrong(flag, value, `must be a number from ${range.from} to ${range.to}`);
  }
  return number;
}

function list<T>(raw: Raw, flag: string, parse: (text: string) => T, otherwise: T): T {
  const value = given(raw, flag);
  if (value === undefined) return otherwise;
  try {
    return parse(value);
  } catch (error) {
    throw new Error(`--${flag}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

const logLevels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent'];

function logLevel(raw: Raw): LogLevel {
  const value = given(raw, 'log-level') ?? 'info';
  const level = logLevels.find((known) => known === value);
  if (!level) throw wrong('log-level', value, `is unknown; take one of ${logLevels.join(', ')}`);
  return level;
}
