/**
 * What exec and attach need of a client, whatever protocol carries it: `channels.ts` for WebSocket, `execstreams.ts` for
 * SPDY. Used by streaming.ts.
 */
import type { Readable, Writable } from 'node:stream';
import { parseJson } from '../../src/api/patch/json.js';
import type { StreamStatus } from './outcome.js';

export interface TerminalSize {
  width: number;
  height: number;
}

export interface StreamClient {
  stdin: Readable;
  stdout: Writable;
  stderr: Writable;
  /** As the client's window changes; ends when the client is gone. */
  sizes(): AsyncIterable<TerminalSize>;
  /** Tells how it ended and closes the connection. */
  finish(status: StreamStatus): Promise<void>;
  /** Aborts when the connection is closed, by whomever. */
  gone: AbortSignal;
}

/** Sizes on their way to the terminal; those that nobody has looked at yet are replaced by the newest. */
export class Sizes {
  #newest: TerminalSize | undefined;
  #isOver = false;
  #wake: (() => void) | undefined;

  push(size: TerminalSize): void {
    this.#newest = size;
    this.#wake?.();
  }

  end(): void {
    this.#isOver = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TerminalSize, void, undefined> {
    for (;;) {
      const size = this.#newest;
      this.#newest = undefined;
      if (size) yield size;
      else if (this.#isOver) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}

/** `{"Width":80,"Height":24}`; anything else is ignored. */
export function parseSize(text: string): TerminalSize | undefined {
  const value = parseJson(text);
  if (typeof value !== 'object' || value === null) return undefined;
  const { Width: width, Height: height }: { Width?: unknown; Height?: unknown } = value;
  return isCells(width) && isCells(height) ? { width, height } : undefined;
}

/** Terminals count in 16 bits. */
const isCells = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff;
