/**
 * Whether anything still moves on a stream, and whether anybody is at its other end. Made by upgrades.ts for every
 * connection of exec, attach and port-forward, told by those who read and write it (`SpdyConnection`, `Channels`).
 *
 * A client that goes is seen by reading. Where the command takes no input nothing is read, so something that needs no
 * answer is written from time to time: the end of a connection is seen by that too.
 */
import type { Clock } from '../../src/host/clock.js';

const probeEveryMs = 5_000;

export interface StreamWatchOptions {
  clock: Clock;
  /** 0: no limit. */
  idleLimitMs: number;
  /** Called once. */
  onIdle(): void;
}

export class StreamWatch {
  readonly #options: StreamWatchOptions;
  #movedAtMs: number;
  #cancelLimit = (): void => undefined;
  #cancelProbe = (): void => undefined;

  constructor(options: StreamWatchOptions) {
    this.#options = options;
    this.#movedAtMs = options.clock.monotonicMs();
    if (options.idleLimitMs > 0) this.#limit(options.idleLimitMs);
  }

  /** A frame or message came or went. */
  moved(): void {
    this.#movedAtMs = this.#options.clock.monotonicMs();
  }

  /** Nothing is read: calls `probe`, which writes what the client ignores, until `taken`. */
  stalled(probe: () => void): void {
    this.#cancelProbe = this.#options.clock.after(probeEveryMs, () => {
      this.stalled(probe);
      probe();
    });
  }

  /** Reading goes on. */
  taken(): void {
    this.#cancelProbe();
  }

  /** The connection is closed. */
  close(): void {
    this.#cancelLimit();
    this.#cancelProbe();
  }

  #limit(afterMs: number): void {
    const { clock, idleLimitMs, onIdle } = this.#options;
    this.#cancelLimit = clock.after(afterMs, () => {
      const leftMs = this.#movedAtMs + idleLimitMs - clock.monotonicMs();
      if (leftMs > 0) this.#limit(leftMs);
      else onIdle();
    });
  }
}
