/**
 * The log of one container of the fake runtime: lines with times, read with tail, since and follow as Docker does.
 * Used by fake.ts.
 */
import type { LogLine, LogOptions } from './runtime.js';

export class FakeLog {
  readonly #lines: LogLine[] = [];
  readonly #partial = { stdout: '', stderr: '' };
  readonly #waiting = new Set<() => void>();
  #closed = false;

  write(stream: 'stdout' | 'stderr', text: string, now: Date): void {
    const parts = (this.#partial[stream] + text).split('\n');
    this.#partial[stream] = parts.pop() ?? '';
    for (const line of parts) this.#push(stream, line, now);
  }

  /** The container ended: an unfinished line counts, and followers end. */
  close(now: Date): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      if (this.#partial[stream] !== '') this.#push(stream, this.#partial[stream], now);
      this.#partial[stream] = '';
    }
    this.#closed = true;
    this.#wake();
  }

  /** With `follow`, ends when the container has ended and everything was read, or when the signal aborts. */
  async *read(options: LogOptions): AsyncGenerator<LogLine, void, undefined> {
    const from = options.tailLines === undefined ? 0 : Math.max(0, this.#lines.length - options.tailLines);
    const wake = (): void => this.#wake();
    options.signal.addEventListener('abort', wake, { once: true });
    try {
      for (let at = from; !options.signal.aborted; ) {
        const line = this.#lines[at];
        if (line) {
          at += 1;
          if (!options.since || new Date(line.time) >= options.since) yield line;
        } else if (!options.follow || this.#closed) return;
        else await new Promise<void>((resolve) => this.#waiting.add(resolve));
      }
    } finally {
      options.signal.removeEventListener('abort', wake);
    }
  }

  #push(stream: 'stdout' | 'stderr', text: string, now: Date): void {
    const nanos = String(this.#lines.length % 1_000_000).padStart(6, '0');
    this.#lines.push({
      stream,
      time: `${now.toISOString().slice(0, 23)}${nanos}Z`,
      text: Buffer.from(text),
    });
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}
