/**
 * 1. Fairness: a user has only so many requests under way, further ones wait in a queue of that user's own, and what does
 * not fit there answers 429 with Retry-After. Beyond a total, users take turns.
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
}

const defaults: InFlightLimits = { perUser: 64, total: 512, queued: 400 };

interface Flow {
  user: string;
  running: number;
  readonly waiting: (() => void)[];
}

export class InFlight {
  readonly #limits: InFlightLimits;
  /** Users with something under way or waiting. */
  readonly #flows = new Map<string, Flow>();
  /** Those that could go on if the total allowed it, whose turn is next first. */
  readonly #turns = new Set<Flow>();
  #running = 0;

  constructor(limits: Partial<InFlightLimits> = {}) {
    this.#limits = { ...defaults, ...limits };
  }

  /** Resolves when the request may go on (at once without a promise); the caller must then `leave` once. Throws 429. */
  enter(user: User): Promise<void> | undefined {
    const flow = this.#flowOf(user.name);
    const { perUser, total, queued } = this.#limits;
    if (flow.waiting.length === 0 && flow.running < perUser && this.#running < total) {
      this.#begin(flow);
      return undefined;
    }
    if (flow.waiting.length >= queued && !user.groups.includes('system:masters')) throw tooMany();
    return new Promise((resolve) => {
      flow.waiting.push(resolve);
      if (flow.running < perUser) this.#turns.add(flow);
    });
  }

  leave(user: User): void {
    const flow = this.#flowOf(user.name);
    flow.running -= 1;
    this.#running -= 1;
    if (flow.waiting.length > 0) this.#turns.add(flow);
    else if (flow.running === 0) this.#flows.delete(flow.user);
    this.#next();
  }

  #next(): void {
    for (const flow of this.#turns) {
      if (this.#running >= this.#limits.total) return;
      this.#turns.delete(flow);
      const resume = flow.waiting.shift();
      if (!resume) continue;
      this.#begin(flow);
      if (flow.waiting.length > 0 && flow.running < this.#limits.perUser) this.#turns.add(flow);
      resume();
    }
  }

  #begin(flow: Flow): void {
    flow.running += 1;
    this.#running += 1;
  }

  #flowOf(user: string): Flow {
    let flow = this.#flows.get(user);
    if (!flow) {
      flow = { user, running: 0, waiting: [] };
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
