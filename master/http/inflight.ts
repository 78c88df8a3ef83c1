/**
 * 1. Fairness: a user has only so many requests under way, further ones wait in a queue of that user's own, and what does
 * not fit there answers 429 with Retry-After. Beyond a total, users take turns.
 *
 * There is one thread: whoever keeps it busy keeps it from everybody. So a user also has only a slice of each turn of the
 * event loop; what comes after that waits for the next turn, in which the others' requests have been read.
 *
 * Called by `dispatch.ts` around every request that ends by itself: watches and other streams do not count, health and
 * discovery neither, and the master's own components go around HTTP. Agents renew leases and report status without waiting.
 */
import { ApiError } from '../../src/api/errors.js';
import type { User } from '../registry/registry.js';

export interface InFlightLimits {
  /** Requests of one user under way at a time; a group commit is full with fewer. */
  perUser: number;
  /** Of all users together. */
  total: number;
  /** Requests of one user that wait. `system:masters` are never refused: who else could help? */
  queued: number;
  /** Milliseconds of work for one user in one turn of the event loop. */
  sliceMs: number;
}

const defaults: InFlightLimits = { perUser: 64, total: 512, queued: 400, sliceMs: 4 };

/** Waiting requests of one user that go on in one turn at most. */
const resumedPerTurn = 8;

interface Flow {
  user: string;
  running: number;
  /** Work in this turn, and the requests it was for. */
  spentMs: number;
  served: number;
  readonly waiting: (() => void)[];
}

export class InFlight {
  readonly #limits: InFlightLimits;
  readonly #now: () => number;
  /** Users with something under way or waiting. */
  readonly #flows = new Map<string, Flow>();
  /** Those that could go on if total and turn allowed it, whose turn is next first. */
  readonly #turns = new Set<Flow>();
  /** Those that worked in this turn. */
  readonly #worked = new Set<Flow>();
  #running = 0;
  #isTurnAwaited = false;
  /** Since when whoever runs now has the thread; undefined at the start of a turn. */
  #sinceMs: number | undefined;

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(limits: Partial<InFlightLimits> = {}, now: () => number = () => performance.now()) {
    this.#limits = { ...defaults, ...limits };
    this.#now = now;
  }

  /** Resolves when the request may go on (at once without a promise); the caller must then `leave` once. Throws 429. */
  enter(user: User): Promise<void> | undefined {
    const flow = this.#flowOf(user.name);
    const { perUser, total, queued, sliceMs } = this.#limits;
    const hasRoom = flow.running < perUser && this.#running < total;
    if (flow.waiting.length === 0 && hasRoom && flow.spentMs < sliceMs) {
      this.#begin(flow);
      return undefined;
    }
    if (flow.waiting.length >= queued && !user.groups.includes('system:masters')) throw tooMany();
    return new Promise((resolve) => {
      flow.waiting.push(resolve);
      this.#awaitTurn(flow);
    });
  }

  leave(user: User): void {
    const flow = this.#flowOf(user.name);
    flow.running -= 1;
    this.#running -= 1;
    flow.served += 1;
    this.#worked.add(flow);
    this.#charge(flow);
    if (flow.waiting.length > 0 || this.#turns.size > 0) this.#awaitTurn(flow);
    else this.#arm();
  }

  /** What ran since the last mark was this user's; time that passed between turns is nobody's. */
  #charge(flow: Flow): void {
    if (this.#sinceMs === undefined) return;
    const now = this.#now();
    flow.spentMs += now - this.#sinceMs;
    this.#sinceMs = now;
  }

  #awaitTurn(flow: Flow): void {
    if (flow.waiting.length > 0) this.#turns.add(flow);
    this.#arm();
  }

  #arm(): void {
    if (this.#isTurnAwaited) return;
    this.#isTurnAwaited = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#isTurnAwaited = false;
    this.#sinceMs = undefined;
    const resumed = new Map([...this.#turns].map((flow) => [flow, this.#share(flow)]));
    for (const flow of this.#worked) {
      flow.spentMs = 0;
      flow.served = 0;
      if (flow.running === 0 && flow.waiting.length === 0) this.#flows.delete(flow.user);
    }
    this.#worked.clear();
    // Round after round, one of each, so that nobody takes the whole of what is left of the total.
    while (resumed.size > 0) {
      for (const [flow, left] of resumed) {
        if (left === 0 || !this.#resume(flow)) resumed.delete(flow);
        else resumed.set(flow, left - 1);
      }
    }
  }

  /** As many as a slice holds, if they are like those before. */
  #share({ spentMs, served }: Flow): number {
    const fitting = Math.floor((this.#limits.sliceMs * served) / Math.max(spentMs, 0.001));
    return served === 0 ? resumedPerTurn : Math.max(1, Math.min(fitting, resumedPerTurn));
  }

  /** False when nothing of this user can go on now. */
  #resume(flow: Flow): boolean {
    const { perUser, total } = this.#limits;
    if (this.#running >= total || flow.running >= perUser) return false;
    const resume = flow.waiting.shift();
    this.#turns.delete(flow);
    if (!resume) return false;
    this.#begin(flow);
    // Behind the others the next time.
    if (flow.waiting.length > 0) this.#awaitTurn(flow);
    resume();
    return true;
  }

  #begin(flow: Flow): void {
    flow.running += 1;
    this.#running += 1;
    this.#sinceMs = this.#now();
    this.#arm();
  }

  #flowOf(user: string): Flow {
    let flow = this.#flows.get(user);
    if (!flow) {
      flow = { user, running: 0, spentMs: 0, served: 0, waiting: [] };
      this.#flows.set(user, flow);
    }
    return flow;
  }
}

/** What must not wait behind anything: a node whose lease is late is taken for dead. */
export const isUrgent = (user: User, target: { resource: string; subresource: string }): boolean =>
  (target.resource === 'leases' || target.subresource === 'status') && user.groups.includes('system:nodes');

const tooMany = (): ApiError =>
  new ApiError('TooManyRequests', 'Too many requests, please try again later.', { retryAfterSeconds: 1 });
