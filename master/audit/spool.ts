/**
 * Events on their way to one place: a bounded buffer in memory, carried off in batches, one batch at a time.
 *
 * `take` never waits. While the place takes nothing, events stay and are offered again with growing pauses; what does not fit
 * any more is counted and dropped, the newest first. A stop offers what is left once.
 */
import { type BackoffPolicy, createBackoff } from '../../src/client/backoff.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import type { Sink } from './event.js';

/** The place will never take these events: trying again is no use. */
export class Undeliverable extends Error {
  override readonly name = 'Undeliverable';
}

export interface SpoolOptions {
  name: string;
  /** Rejects when nothing of the batch arrived. */
  deliver(events: readonly string[]): Promise<void>;
  /** Most of what waits. */
  capacity: { events: number; bytes: number };
  batch: { events: number; bytes: number };
  /** How long a batch that is not full waits for more. */
  waitMs: number;
  backoff: BackoffPolicy;
  /** Takes nothing while the place takes nothing. */
  strict: boolean;
  clock: Clock;
  log: Logger;
  /** Told of events that were taken and are gone nevertheless. */
  lost(events: number): void;
}

export class Spool implements Sink {
  readonly name: string;
  readonly #options: SpoolOptions;
  readonly #backoff: ReturnType<typeof createBackoff>;
  #queue: string[] = [];
  #bytes = 0;
  #carrying: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  #failed = false;
  /** Dropped since the last batch that arrived. */
  #dropped = 0;

  constructor(options: SpoolOptions) {
    this.name = options.name;
    this.#options = options;
    this.#backoff = createBackoff(options.backoff);
  }

  take(text: string): boolean {
    const { capacity, strict } = this.#options;
    const hasRoom = this.#queue.length < capacity.events && this.#bytes + text.length <= capacity.bytes;
    if (!hasRoom || (strict && this.#failed)) {
      if (this.#dropped === 0) this.#options.log.error({ sink: this.name }, 'audit events are dropped');
      this.#dropped += 1;
      return false;
    }
    this.#queue.push(text);
    this.#bytes += text.length;
    this.#schedule();
    return true;
  }

  /** Offers what is left, once. */
  async stop(): Promise<void> {
    this.#disarm();
    await this.#carrying;
    this.#disarm();
    await this.#carry(true);
    this.#disarm();
    if (this.#queue.length > 0) this.#lose(this.#queue.length, undefined);
  }

  #schedule(): void {
    if (this.#carrying || this.#failed) return;
    const { batch, waitMs, clock } = this.#options;
    if (waitMs === 0 || this.#queue.length >= batch.events) this.#start();
    else this.#cancelTimer ??= clock.after(waitMs, () => this.#start());
  }

  #disarm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #start(): void {
    this.#disarm();
    this.#carrying ??= this.#carry(false).finally(() => {
      this.#carrying = undefined;
      if (this.#queue.length > 0) this.#schedule();
    });
  }

  /** Never rejects. Events of this very turn join the first batch. */
  async #carry(all: boolean): Promise<void> {
    await Promise.resolve();
    const { batch, waitMs } = this.#options;
    let isFirst = true;
    while (this.#queue.length > 0 && (all || isFirst || waitMs === 0 || this.#queue.length >= batch.events)) {
      isFirst = false;
      const events = this.#head();
      try {
        await this.#options.deliver(events);
        this.#arrived();
      } catch (error) {
        if (!(error instanceof Undeliverable)) {
          this.#fail(error);
          return;
        }
        this.#lose(events.length, error);
      }
      this.#remove(events);
    }
  }

  #head(): string[] {
    const { batch } = this.#options;
    let bytes = 0;
    let count = 0;
    for (const text of this.#queue) {
      if (count === batch.events || (count > 0 && bytes + text.length > batch.bytes)) break;
      bytes += text.length;
      count += 1;
    }
    return this.#queue.slice(0, count);
  }

  #remove(events: readonly string[]): void {
    this.#queue = this.#queue.slice(events.length);
    for (const text of events) this.#bytes -= text.length;
  }

  #arrived(): void {
    const { log } = this.#options;
    if (this.#failed || this.#dropped > 0)
      log.info({ sink: this.name, dropped: this.#dropped }, 'audit events are kept again');
    this.#failed = false;
    this.#dropped = 0;
    this.#backoff.reset();
  }

  #fail(err: unknown): void {
    const { clock, log } = this.#options;
    const retryMs = this.#backoff.next();
    if (!this.#failed)
      log.error({ err, sink: this.name, retryMs }, 'audit events cannot be delivered, will try again');
    this.#failed = true;
    this.#cancelTimer = clock.after(retryMs, () => this.#start());
  }

  #lose(events: number, err: unknown): void {
    this.#options.lost(events);
    this.#options.log.error({ err, sink: this.name, events }, 'audit events are lost');
  }
}
