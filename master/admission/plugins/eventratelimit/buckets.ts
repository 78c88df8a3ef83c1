/**
 * 2. Token buckets by key: each holds `burst` tokens at most and gains `qps` of them a second. Time is an argument.
 *
 * At most `cacheSize` buckets are kept; the one that was asked longest ago is forgotten, and full again when it comes back.
 */
export interface BucketOptions {
  qps: number;
  burst: number;
  cacheSize: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

export class Buckets {
  readonly #options: BucketOptions;
  /** In the order in which they were asked, newest last. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: BucketOptions) {
    this.#options = options;
  }

  /** Takes a token; 0 when there was one, else the milliseconds until there is. `nowMs` never goes back. */
  take(key: string, nowMs: number): number {
    const { qps, burst, cacheSize } = this.#options;
    const { tokens, atMs } = this.#buckets.get(key) ?? { tokens: burst, atMs: nowMs };
    const present = Math.min(burst, tokens + ((nowMs - atMs) / 1000) * qps);
    const isEnough = present >= 1;
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: isEnough ? present - 1 : present, atMs: nowMs });
    if (this.#buckets.size > cacheSize) this.#forgetOldest();
    return isEnough ? 0 : ((1 - present) / qps) * 1000;
  }

  #forgetOldest(): void {
    for (const key of this.#buckets.keys()) {
      this.#buckets.delete(key);
      return;
    }
  }
}
