/**
 * Loops that hold a Lease: `createHeartbeat` for a node that says it is alive, `createElection` for the one master
 * that schedules. The rules are in `lease.ts`; a lost race is a Conflict and simply tried again.
 */

import { isReason } from '../api/errors.js';
import { leases } from '../api/kinds.js';
import type { ObjectRef } from '../api/meta.js';
import type { Lease, OwnerReference } from '../api/types.js';
import type { Clock } from '../host/clock.js';
import { type Component, healthyNow } from '../host/component.js';
import type { Logger } from '../host/log.js';
import { createBackoff } from './backoff.js';
import type { Client } from './client.js';
import { ifFound } from './found.js';
import { decide, released } from './lease.js';
import { createStop, untilAborted } from './wait.js';

type LeaseClient = Pick<Client, 'get' | 'create' | 'update'>;

export interface LeaseOptions {
  client: LeaseClient;
  clock: Clock;
  log: Logger;
  /** `{namespace: 'kube-node-lease', name: nodeName}` for a node. */
  ref: ObjectRef;
  identity: string;
  /** 40 s for nodes, 15 s for leaders by default. */
  durationMs?: number;
  /** How often it is renewed or tried: 10 s for nodes, 2 s for leaders by default. */
  renewMs?: number;
}

interface Holder {
  /** Acquires or renews; false while somebody else holds the lease. */
  hold(signal: AbortSignal): Promise<boolean>;
  release(): Promise<void>;
}

function createHolder(
  options: LeaseOptions & { durationMs: number; owner?: () => OwnerReference | undefined },
): Holder {
  const { client, clock, ref, identity, durationMs } = options;
  /** The last version seen and since when, on our own clock. */
  let seen: { lease: Lease; sinceMs: number } | undefined;

  function note(lease: Lease): Lease {
    if (seen?.lease.metadata.resourceVersion !== lease.metadata.resourceVersion) {
      seen = { lease, sinceMs: clock.monotonicMs() };
    }
    return lease;
  }

  async function read(signal: AbortSignal): Promise<Lease | undefined> {
    const found = await ifFound(client.get(leases, ref, { signal }));
    return found && note(found);
  }

  async function hold(signal: AbortSignal): Promise<boolean> {
    // Renewing what we wrote last needs no read; the version catches whoever wrote in between.
    const isMine = seen?.lease.spec?.holderIdentity === identity;
    const lease = isMine ? seen?.lease : await read(signal);
    const unchangedMs = seen ? clock.monotonicMs() - seen.sinceMs : 0;
    const decision = decide(lease, { identity, durationMs, now: clock.now() }, unchangedMs);
    if (decision.do === 'wait') return false;
    try {
      if (lease) note(await client.update(leases, { ...lease, spec: decision.spec }, { signal }));
      else note(await client.create(leases, draft(decision.spec), { signal }));
      return true;
    } catch (error) {
      seen = undefined;
      if (isReason(error, 'Conflict', 'AlreadyExists', 'NotFound')) return false;
      throw error;
    }
  }

  function draft(spec: NonNullable<Lease['spec']>): Lease {
    const owner = options.owner?.();
    return { metadata: { ...ref, ...(owner && { ownerReferences: [owner] }) }, spec };
  }

  return {
    hold,
    async release() {
      if (seen?.lease.spec?.holderIdentity !== identity) return;
      await client.update(leases, released(seen.lease));
      seen = undefined;
    },
  };
}

export interface HeartbeatOptions extends LeaseOptions {
  /** The Node, so that its lease goes with it; asked when the lease is made. */
  owner?: () => OwnerReference | undefined;
}

/** Renews for ever; a failure is retried with backoff, well within the lease's duration. */
export function createHeartbeat(options: HeartbeatOptions): Component {
  const { clock, log, renewMs = 10_000 } = options;
  const holder = createHolder({ ...options, durationMs: options.durationMs ?? 40_000 });
  const backoff = createBackoff({ minMs: 200, maxMs: Math.min(7_000, renewMs), jitter: 0.2 });
  const stopping = createStop();
  let trouble = '';
  let running: Promise<void> = Promise.resolve();

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const delayMs = await beat(signal);
      await untilAborted(clock.sleep(delayMs, signal), signal);
    }
  }

  /** Returns how long to wait for the next one. */
  async function beat(signal: AbortSignal): Promise<number> {
    try {
      if (!(await holder.hold(signal))) return backoff.next();
      backoff.reset();
      trouble = '';
      return renewMs;
    } catch (error) {
      if (signal.aborted) return 0;
      trouble = error instanceof Error ? error.message : String(error);
      log.warn({ err: error, lease: options.ref.name }, 'the lease could not be renewed');
      return backoff.next();
    }
  }

  return {
    name: 'heartbeat',
    start(signal) {
      stopping.follow(signal);
      running = run(stopping.signal);
      return Promise.resolve();
    },
    async stop() {
      stopping.abort(new Error('the heartbeat stops'));
      await running;
    },
    healthy: () => (trouble === '' ? healthyNow : { ok: false, reason: trouble }),
  };
}

export interface ElectionOptions extends LeaseOptions {
  /** Without a renewal for so long the leader gives up by itself; 10 s by default, below `durationMs`. */
  renewDeadlineMs?: number;
  /** What only the leader does. Must end soon after `signal` aborts, which says that the lead is lost. */
  lead(signal: AbortSignal): Promise<void>;
}

/** Candidates until elected, leads until the lease is lost, then candidates again. `stop` gives the lease back. */
export function createElection(options: ElectionOptions): Component & { isLeader(): boolean } {
  const { clock, log, renewMs = 2_000, renewDeadlineMs = 10_000, lead } = options;
  const holder = createHolder({ ...options, durationMs: options.durationMs ?? 15_000 });
  const stopping = createStop();
  let leading = false;
  let running: Promise<void> = Promise.resolve();

  async function tryHold(signal: AbortSignal): Promise<boolean> {
    try {
      return await holder.hold(signal);
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error, lease: options.ref.name }, 'the lease could not be held');
      return false;
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (await tryHold(signal)) await leadOnce(signal);
      await untilAborted(clock.sleep(renewMs * (1 + Math.random() * 0.2), signal), signal);
    }
  }

  async function leadOnce(signal: AbortSignal): Promise<void> {
    const lost = createStop();
    lost.follow(signal);
    leading = true;
    log.info({ lease: options.ref.name }, 'became leader');
    const work = lead(lost.signal).finally(() => lost.abort(new Error('the leader ended')));
    await keep(lost);
    leading = false;
    const [outcome] = await Promise.allSettled([work]);
    if (outcome.status === 'rejected' && !signal.aborted)
      log.error({ err: outcome.reason }, 'the leader failed');
    if (signal.aborted) await giveBack();
  }

  /** Renews until told to stop or until the deadline passed without success; then aborts `lost`. */
  async function keep(lost: AbortController): Promise<void> {
    let renewedMs = clock.monotonicMs();
    while (!lost.signal.aborted) {
      await untilAborted(clock.sleep(renewMs, lost.signal), lost.signal);
      if (lost.signal.aborted) return;
      const deadline = clock.after(renewDeadlineMs - (clock.monotonicMs() - renewedMs), () =>
        lost.abort(new Error('the lease was not renewed in time')),
      );
      if (await tryHold(lost.signal)) renewedMs = clock.monotonicMs();
      deadline();
      if (clock.monotonicMs() - renewedMs >= renewDeadlineMs) lost.abort(new Error('the lease was lost'));
    }
  }

  async function giveBack(): Promise<void> {
    try {
      await holder.release();
    } catch (error) {
      log.warn({ err: error, lease: options.ref.name }, 'the lease could not be given back, it will run out');
    }
  }

  return {
    name: 'election',
    isLeader: () => leading,
    start(signal) {
      stopping.follow(signal);
      running = run(stopping.signal);
      return Promise.resolve();
    },
    async stop() {
      stopping.abort(new Error('the election stops'));
      await running;
    },
    healthy: () => healthyNow,
  };
}
