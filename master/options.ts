/**
 * The flags of `wherry master`, checked. Pure: the CLI hands in strings by camel-case name, the composition root
 * (`main.ts`) gets typed values. Every refusal names the flag, the value and what would be right.
 */
import {
  durationFlag,
  given,
  ipFlag,
  logLevelFlag,
  networkFlags,
  parsedFlag,
  pathFlag,
  portFlag,
  type RawFlags,
  wrongFlag,
} from '../src/host/config.js';
import { type ListenOptions, listenFlags } from '../src/host/listen.js';
import type { LogLevel } from '../src/host/log.js';
import { type AdmissionOptions, admissionOptions } from './admission/options.js';
import { type AuditOptions, auditOptions } from './audit/options.js';
import { type AuthenticationOptions, authenticationOptions } from './auth/authn/options.js';
import { type CertificateOptions, certificateOptions } from './certificates/options.js';

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
  /** Of values in the store. Without a file, Secrets with a key of the master's own; off, everything is written clear. */
  encryption: { configFile: string | undefined; encrypt: boolean };
  /** Silence after which a node is NotReady. */
  nodeMonitorGracePeriodMs: number;
  /** How long pods without a toleration of their own stay on a node that is NotReady. */
  defaultEvictionSeconds: number;
  admission: AdmissionOptions;
  /** Absent when nothing is to be written down. */
  audit: AuditOptions | undefined;
  certificates: CertificateOptions;
  authentication: AuthenticationOptions;
  listen: ListenOptions;
  logLevel: LogLevel;
}

/** Throws an `Error` whose message can be shown as it is. */
export function parseMasterOptions(raw: RawFlags): MasterOptions {
  return {
    dataDir: pathFlag(raw, 'data-dir', '/var/lib/wherry'),
    bindAddress: ipFlag(raw, 'bind-address') ?? '0.0.0.0',
    securePort: portFlag(raw, 'secure-port', 6443),
    advertiseAddress: ipFlag(raw, 'advertise-address'),
    ...networkFlags(raw),
    nodePortRange: parsedFlag(raw, 'service-node-port-range', parsePortRange, { from: 30000, to: 32767 }),
    adminKubeconfig: pathFlag(raw, 'admin-kubeconfig', '/etc/wherry/admin.kubeconfig'),
    store: store(raw),
    encryption: encryption(raw),
    nodeMonitorGracePeriodMs: durationFlag(raw, 'node-monitor-grace-period', '40s'),
    defaultEvictionSeconds: Math.ceil(durationFlag(raw, 'default-eviction-timeout', '300s') / 1000),
    admission: admissionOptions(raw),
    audit: auditOptions(raw),
    certificates: certificateOptions(raw),
    authentication: authenticationOptions(raw),
    listen: listenFlags(raw),
    logLevel: logLevelFlag(raw),
  };
}

function parsePortRange(text: string): { from: number; to: number } {
  const [, from = 0, to = 0] = (/^(\d{1,5})-(\d{1,5})$/.exec(text) ?? []).map(Number);
  if (from < 1 || to > 65535 || from > to) {
    throw new Error(`${JSON.stringify(text)} is no range of ports; write it like 30000-32767`);
  }
  return { from, to };
}

function store(raw: RawFlags): 'file' {
  const value = given(raw, 'store') ?? 'file';
  if (value !== 'file') throw wrongFlag('store', value, 'is not supported; take "file"');
  return value;
}

function encryption(raw: RawFlags): MasterOptions['encryption'] {
  const file = given(raw, 'encryption-provider-config');
  return {
    configFile: file && pathFlag(raw, 'encryption-provider-config', file),
    encrypt: parsedFlag(raw, 'encrypt-secrets', parseSwitch, true),
  };
}

function parseSwitch(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new Error(`${JSON.stringify(text)} is neither true nor false`);
}
