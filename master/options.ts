/**
 * The flags of `wherry master`, checked. Pure: the CLI hands in strings by camel-case name, the composition root
 * (`main.ts`) gets typed values. Every refusal names the flag, the value and what would be right.
 */
import { parseDuration } from '../src/api/duration.js';
import type { LogLevel } from '../src/host/log.js';
import { type Cidr, overlaps, parseCidr, sizeOf } from '../src/net/cidr.js';
import { isIp } from '../src/net/ip.js';

export interface MasterOptions {
  dataDir: string;
  /** IP to listen on; `0.0.0.0` for all. */
  bindAddress: string;
  securePort: number;
  /** IP at which others reach the API; found out at start when absent. */
  advertiseAddress: string | undefined;
  clusterCidr: string;
  serviceCidr: string;
  nodePortRange: { from: number; to: number };
  /** Where the administrator's kubeconfig is written. */
  adminKubeconfig: string;
  store: 'file';
  /** Silence after which a node is NotReady. */
  nodeMonitorGracePeriodMs: number;
  /** How long pods without a toleration of their own stay on a node that is NotReady. */
  defaultEvictionSeconds: number;
  logLevel: LogLevel;
}

type Raw = Readonly<Record<string, string>>;

/** Throws an `Error` whose message can be shown as it is. */
export function parseMasterOptions(raw: Raw): MasterOptions {
  const options: MasterOptions = {
    dataDir: absolutePath(raw, 'data-dir', '/var/lib/wherry'),
    bindAddress: ip(raw, 'bind-address') ?? '0.0.0.0',
    securePort: port(raw, 'secure-port', 6443),
    advertiseAddress: ip(raw, 'advertise-address'),
    clusterCidr: cidr(raw, 'cluster-cidr', '10.244.0.0/16'),
    serviceCidr: cidr(raw, 'service-cidr', '10.96.0.0/12'),
    nodePortRange: portRange(raw, 'service-node-port-range', '30000-32767'),
    adminKubeconfig: absolutePath(raw, 'admin-kubeconfig', '/etc/wherry/admin.kubeconfig'),
    store: store(raw),
    nodeMonitorGracePeriodMs: duration(raw, 'node-monitor-grace-period', '40s'),
    defaultEvictionSeconds: Math.ceil(duration(raw, 'default-eviction-timeout', '300s') / 1000),
    logLevel: logLevel(raw),
  };
  checkNetworks(options);
  return options;
}

const camel = (flag: string): string =>
  flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The flag's value; an empty one counts as absent. */
const given = (raw: Raw, flag: string): string | undefined => raw[camel(flag)]?.trim() || undefined;

const wrong = (flag: string, value: string, right: string): Error =>
  new Error(`--${flag}: ${JSON.stringify(value)} ${right}`);

function absolutePath(raw: Raw, flag: string, otherwise: string): string {
  const value = given(raw, flag) ?? otherwise;
  if (!value.startsWith('/') || value.includes('\0')) throw wrong(flag, value, 'must be an absolute path');
  return value.length > 1 ? value.replace(/\/+$/, '') : value;
}

function ip(raw: Raw, flag: string): string | undefined {
  const value = given(raw, flag);
  if (value !== undefined && !isIp(value)) throw wrong(flag, value, 'is no IP address');
  return value;
}

function port(raw: Raw, flag: string, otherwise: number): number {
  const value = given(raw, flag);
  if (value === undefined) return otherwise;
  if (!isPort(value)) throw wrong(flag, value, 'is no port; write a number from 1 to 65535');
  return Number(value);
}

const isPort = (text: string): boolean =>
  /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65535;

function portRange(raw: Raw, flag: string, otherwise: string): { from: number; to: number } {
  const value = given(raw, flag) ?? otherwise;
  const [from = '', to = '', more] = value.split('-');
  if (more !== undefined || !isPort(from) || !isPort(to) || Number(from) > Number(to)) {
    throw wrong(flag, value, 'is no range of ports; write it like 30000-32767');
  }
  return { from: Number(from), to: Number(to) };
}

/** Addresses of a Service network must at least hold the API's own Service. */
const minAddresses = 8n;

function cidr(raw: Raw, flag: string, otherwise: string): string {
  const value = given(raw, flag) ?? otherwise;
  const parsed = parseCidr(value, true);
  if (!parsed) throw wrong(flag, value, 'is no network; write it like 10.96.0.0/12, without host bits');
  if (sizeOf(parsed) < minAddresses) throw wrong(flag, value, 'is too small; take at least 8 addresses');
  return value;
}

function checkNetworks({ clusterCidr, serviceCidr }: MasterOptions): void {
  const [pods, services] = [clusterCidr, serviceCidr].map((text) => parseCidr(text)) as [Cidr, Cidr];
  if (overlaps(pods, services)) {
    throw wrong('service-cidr', serviceCidr, `overlaps with --cluster-cidr ${JSON.stringify(clusterCidr)}`);
  }
}

function store(raw: Raw): 'file' {
  const value = given(raw, 'store') ?? 'file';
  if (value !== 'file') throw wrong('store', value, 'is not supported; take "file"');
  return value;
}

function duration(raw: Raw, flag: string, otherwise: string): number {
  const value = given(raw, flag) ?? otherwise;
  try {
    return parseDuration(value);
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
