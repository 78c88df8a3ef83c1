/**
 * What to do about a Lease: the pure rules behind node heartbeats and leader election. Called by `leases.ts`.
 *
 * Whether somebody else's lease has run out is judged by how long *we* have seen it unchanged, never by the times
 * written in it, so clocks that differ between hosts cannot make two leaders.
 */
import type { Lease } from '../api/types.js';
import { toMicroTime } from '../host/clock.js';

export interface LeaseWish {
  identity: string;
  durationMs: number;
  now: Date;
}

export type LeaseDecision =
  | { do: 'create' | 'renew' | 'take'; spec: NonNullable<Lease['spec']> }
  /** Held by somebody else for at most so long, as far as we can tell. */
  | { do: 'wait'; ms: number };

/** `unchangedMs`: for how long we have seen this very version of the lease. */
export function decide(lease: Lease | undefined, wish: LeaseWish, unchangedMs: number): LeaseDecision {
  const at = toMicroTime(wish.now);
  const mine = {
    holderIdentity: wish.identity,
    leaseDurationSeconds: Math.ceil(wish.durationMs / 1_000),
    renewTime: at,
  };
  if (!lease) return { do: 'create', spec: { ...mine, acquireTime: at, leaseTransitions: 0 } };

  const held = lease.spec ?? {};
  if (held.holderIdentity === wish.identity) {
    return { do: 'renew', spec: { ...held, ...mine, acquireTime: held.acquireTime ?? at } };
  }
  const leftMs = (held.leaseDurationSeconds ?? 0) * 1_000 - unchangedMs;
  if (held.holderIdentity && leftMs > 0) return { do: 'wait', ms: leftMs };
  return {
    do: 'take',
    spec: { ...held, ...mine, acquireTime: at, leaseTransitions: (held.leaseTransitions ?? 0) + 1 },
  };
}

/** The lease given up: the next candidate need not wait. */
export const released = (lease: Lease): Lease => ({
  ...lease,
  spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 },
});
