/**
 * Follows a log to its real end. Docker ends a follow when the file is rotated faster than it looks; here it is taken up
 * again behind the last line that was read. Called by select.ts.
 *
 * Invariant: no line twice and none left out, as long as the runtime still has it. What tells lines apart is their time,
 * which grows within a stream.
 */
import { createBackoff } from '../../src/client/backoff.js';
import type { Clock } from '../../src/host/clock.js';
import { type LogLine, type LogOptions, type Runtime, RuntimeError } from '../runtime/runtime.js';

export type LogSource = Pick<Runtime, 'logs' | 'inspectContainer'>;

/** The time of the last line of a stream, and how many lines had it. */
interface Position {
  time: string;
  count: number;
}

/** Ends when the container has ended and everything was read, or when `signal` aborts. */
export async function* followLog(
  runtime: LogSource,
  id: string,
  options: LogOptions,
  clock: Pick<Clock, 'sleep'>,
): AsyncGenerator<LogLine, void, undefined> {
  const { signal } = options;
  const read = new Map<LogLine['stream'], Position>();
  const wait = createBackoff({ minMs: 100, maxMs: 5000 });
  let next = options;
  for (;;) {
    const isFirst = next === options;
    let isNew = false;
    const skipped = new Map<LogLine['stream'], number>();
    try {
      for await (const line of runtime.logs(id, next)) {
        const last = read.get(line.stream);
        if (!isFirst && last && isRead(line, last, skipped)) continue;
        isNew = true;
        read.set(line.stream, { time: line.time, count: last?.time === line.time ? last.count + 1 : 1 });
        yield line;
      }
    } catch (error) {
      // Removed since: what was read is all there is.
      if (isFirst || !(error instanceof RuntimeError) || error.kind !== 'notFound') throw error;
      return;
    }
    if (signal.aborted) return;
    const state = await runtime.inspectContainer(id);
    if (state?.state !== 'running' && !isNew) return;
    if (isNew) wait.reset();
    else await clock.sleep(wait.next(), signal).catch(() => undefined);
    if (signal.aborted) return;
    next = resumed(options, read);
  }
}

function isRead(line: LogLine, last: Position, skipped: Map<LogLine['stream'], number>): boolean {
  if (line.time !== last.time) return line.time < last.time;
  const count = (skipped.get(line.stream) ?? 0) + 1;
  skipped.set(line.stream, count);
  return count <= last.count;
}

/** From the last line of the stream that is furthest behind; a tail counts for the first time only. */
function resumed(options: LogOptions, read: ReadonlyMap<LogLine['stream'], Position>): LogOptions {
  const [earliest] = [...read.values()].map(({ time }) => time).toSorted();
  const since = earliest === undefined ? options.since : new Date(earliest);
  const { tailLines: _, since: __, ...rest } = options;
  if (earliest === undefined) return { ...options };
  return { ...rest, ...(since && { since }) };
}
