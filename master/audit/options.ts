/**
 * The flags of the audit log, named as kube-apiserver's. Without `--audit-policy-file` there is none. Pure.
 */
import {
  durationFlag,
  given,
  numberFlag,
  parsedFlag,
  pathFlag,
  type RawFlags,
  wrongFlag,
} from '../../src/host/config.js';

export interface AuditOptions {
  policyFile: string;
  /** Refuse requests that cannot be written down. */
  strict: boolean;
  log: AuditFileOptions | undefined;
  webhook: AuditWebhookOptions | undefined;
}

export interface AuditFileOptions {
  /** `-` is the standard output. */
  path: string;
  maxAgeDays: number;
  maxBackups: number;
  maxBytes: number;
  compress: boolean;
}

export interface AuditWebhookOptions {
  /** A kubeconfig. */
  configFile: string;
  /** Events that wait at most. */
  bufferSize: number;
  maxSize: number;
  maxWaitMs: number;
  initialBackoffMs: number;
}

/** What a size of 0 means to kube-apiserver. */
const defaultMegabytes = 100;

/** Throws an `Error` whose message can be shown as it is. */
export function auditOptions(raw: RawFlags): AuditOptions | undefined {
  const log = fileOptions(raw);
  const webhook = webhookOptions(raw);
  const policyFile = given(raw, 'audit-policy-file');
  if (policyFile === undefined) {
    if (log) throw wrongFlag('audit-log-path', log.path, 'needs --audit-policy-file');
    if (webhook)
      throw wrongFlag('audit-webhook-config-file', webhook.configFile, 'needs --audit-policy-file');
    return undefined;
  }
  if (!log && !webhook)
    throw wrongFlag('audit-policy-file', policyFile, 'needs --audit-log-path or --audit-webhook-config-file');
  return {
    policyFile: pathFlag(raw, 'audit-policy-file', policyFile),
    strict: choice(raw, 'audit-log-mode', ['batch', 'blocking-strict']) === 'blocking-strict',
    log,
    webhook,
  };
}

function fileOptions(raw: RawFlags): AuditFileOptions | undefined {
  const path = given(raw, 'audit-log-path');
  if (path === undefined) return undefined;
  choice(raw, 'audit-log-format', ['json']);
  const days = { otherwise: 0, from: 0, to: 36_500 };
  const megabytes = numberFlag(raw, 'audit-log-maxsize', { otherwise: 0, from: 0, to: 1_000_000 });
  return {
    path: path === '-' ? path : pathFlag(raw, 'audit-log-path', path),
    maxAgeDays: numberFlag(raw, 'audit-log-maxage', days),
    maxBackups: numberFlag(raw, 'audit-log-maxbackup', days),
    maxBytes: (megabytes || defaultMegabytes) * 1024 * 1024,
    compress: choice(raw, 'audit-log-compress', ['false', 'true']) === 'true',
  };
}

function webhookOptions(raw: RawFlags): AuditWebhookOptions | undefined {
  const configFile = given(raw, 'audit-webhook-config-file');
  if (configFile === undefined) return undefined;
  choice(raw, 'audit-webhook-mode', ['batch']);
  const size = (flag: string, otherwise: number): number =>
    numberFlag(raw, flag, { otherwise, from: 1, to: 1_000_000 });
  return {
    configFile: pathFlag(raw, 'audit-webhook-config-file', configFile),
    bufferSize: size('audit-webhook-batch-buffer-size', 10_000),
    maxSize: size('audit-webhook-batch-max-size', 400),
    maxWaitMs: durationFlag(raw, 'audit-webhook-batch-max-wait', '30s'),
    initialBackoffMs: durationFlag(raw, 'audit-webhook-initial-backoff', '10s'),
  };
}

/** The first one is the default. */
const choice = (raw: RawFlags, flag: string, known: readonly [string, ...string[]]): string =>
  parsedFlag(
    raw,
    flag,
    (text) => {
      if (known.includes(text)) return text;
      throw new Error(`${JSON.stringify(text)} is not known; take ${known.join(' or ')}`);
    },
    known[0],
  );
