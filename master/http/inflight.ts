/**
 * 1. Fairness at its simplest: no user may have more than so many requests under way. Watches and other streams do not
 * count; the master's own components go around HTTP. Beyond the limit the answer is 429 with Retry-After.
 */
import { ApiError } from '../../src/api/errors.js';

export class InFlight {
  readonly #limit: number;
  readonly #byUser = new Map<string, number>();

  constructor(limit = 400) {
    this.#limit = limit;
  }

  /** Throws 429 when the user is at the limit; else the caller must `leave` once. */
  enter(user: string): void {
    const count = this.#byUser.get(user) ?? 0;
    if (count >= this.#limit) {
      const message = 'Too many requests: the user has too many requests under way, please try again later';
      throw new ApiError('TooManyRequests', message, { retryAfterSeconds: 1 });
    }
    this.#byUser.set(user, count + 1);
  }

  leave(user: string): void {
    const count = this.#byUser.get(user) ?? 0;
    if (count > 1) this.#byUser.set(user, count - 1);
    else this.#byUser.delete(user);
  }
}
