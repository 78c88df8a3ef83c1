/**
 * The audit log put together from its flags: policy, file or standard output, webhook. Called by the composition root, which
 * starts it before the API answers and stops it after the last request.
 */
import { readFile } from 'node:fs/promises';
import { loadKubeconfig } from '../../src/client/kubeconfig.js';
import type { Clock } from '../../src/host/clock.js';
import { type Component, healthyNow } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import type { Sink } from './event.js';
import { RotatedFile } from './file.js';
import { AuditLog } from './log.js';
import type { AuditFileOptions, AuditOptions, AuditWebhookOptions } from './options.js';
import { type Policy, parsePolicy } from './policy.js';
import { Spool, type SpoolOptions } from './spool.js';
import { AuditWebhook } from './webhook.js';

interface Deps {
  clock: Clock;
  log: Logger;
}

/** A sink with what lies behind it. */
interface Way {
  sink: Sink;
  open(): Promise<void>;
  close(): Promise<void>;
}

type Common = Pick<SpoolOptions, 'clock' | 'log' | 'strict' | 'lost'>;

export interface Audit extends Component {
  readonly log: AuditLog;
}

/** Reads the files that the flags name. Throws when one of them is not what it should be. */
export async function createAudit(options: AuditOptions, { clock, log }: Deps): Promise<Audit> {
  const policy = await readPolicy(options.policyFile);
  const ways: Way[] = [];
  const { strict } = options;
  const common = (name: string): Common => ({
    ...{ clock, strict, log: log.child({ component: 'audit' }) },
    lost: (events) => audit.lost(name, events),
  });
  if (options.log) ways.push(wayToLog(options.log, common('log')));
  if (options.webhook) ways.push(await wayToWebhook(options.webhook, common('webhook')));
  const audit = new AuditLog({ policy, strict, sinks: ways.map(({ sink }) => sink), now: () => clock.now() });
  return {
    name: 'audit',
    log: audit,
    async start() {
      for (const way of ways) await way.open();
    },
    async stop() {
      for (const way of ways) await way.close();
    },
    healthy: () => healthyNow,
  };
}

async function readPolicy(path: string): Promise<Policy> {
  try {
    return parsePolicy(await readFile(path, 'utf8'));
  } catch (error) {
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** What waits for the disk at most. */
const fileCapacity = { events: 100_000, bytes: 64 * 1024 * 1024 };
const fileBatch = { events: 4096, bytes: 1024 * 1024 };

function wayToLog(options: AuditFileOptions, common: Common): Way {
  if (options.path === '-') return wayToOutput(common);
  const file = new RotatedFile({ ...options, clock: common.clock });
  const spool = new Spool({
    ...common,
    name: 'log',
    deliver: (events) => file.append(events),
    capacity: fileCapacity,
    batch: fileBatch,
    waitMs: 0,
    backoff: { minMs: 1000, maxMs: 10_000 },
  });
  return {
    sink: spool,
    open: () => file.open(),
    async close() {
      await spool.stop();
      await file.close();
    },
  };
}

function wayToOutput(common: Common): Way {
  const write = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
    });
  const spool = new Spool({
    ...common,
    name: 'log',
    deliver: (events) => write(`${events.join('\n')}\n`),
    capacity: fileCapacity,
    batch: fileBatch,
    waitMs: 0,
    backoff: { minMs: 1000, maxMs: 10_000 },
  });
  return { sink: spool, open: async () => undefined, close: () => spool.stop() };
}

/** How long a stop waits for the webhook to take what is left. */
const lastOfferMs = 10_000;

async function wayToWebhook(options: AuditWebhookOptions, common: Common): Promise<Way> {
  const webhook = new AuditWebhook(await loadKubeconfig(options.configFile), common.clock);
  const spool = new Spool({
    ...common,
    name: 'webhook',
    // A receiver that is away must not keep the API from working.
    strict: false,
    deliver: (events) => webhook.post(events),
    capacity: { events: options.bufferSize, bytes: 64 * 1024 * 1024 },
    batch: { events: options.maxSize, bytes: 10 * 1024 * 1024 },
    waitMs: options.maxWaitMs,
    backoff: { minMs: options.initialBackoffMs, maxMs: 60_000, jitter: 0.2 },
  });
  return {
    sink: spool,
    open: async () => undefined,
    async close() {
      const cancel = common.clock.after(lastOfferMs, () => webhook.giveUp());
      await spool.stop();
      cancel();
      await webhook.close();
    },
  };
}
