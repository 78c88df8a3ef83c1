/**
 * Follows a log to its real end. When the file is rotated, Docker ends a follow or sends the new file's lines once more; here
 * it is taken up again behind the last line that was read. Called by select.ts.
 *
 * Invariant: no line twice, and none left out that the runtime sends. What tells lines apart is their time, which grows
 * within a stream unless the clock was set back.
 */
import { createBackoff } from '../../src/client/backoff.js';
import type { Clock } from '../../src/host/clock.js';
import { type LogLine, type LogOptions, type Runtime, RuntimeError } from '../runtime/runtime.js';

export type LogSource = Pick<Runtime, 'logs' | 'inspectContainer'>;

/** The last line of a stream, and how many lines had its time. */
interface Position {
  time: string;
  text: Buffer;
  count: number;
  /** Of those, how many came once more, while old lines are read again. */
  again: number | undefined;
}

type Positions = Map<LogLine['stream'], Position>;

/** Ends when the container has ended and everything was read, or when `signal` aborts. */
export async function* followLog(
  runtime: LogSource,
  id: string,
  options: LogOptions,
  clock: Pick<Clock, 'sleep' | 'now'>,
): AsyncGenerator<LogLine, void, undefined> {
  const { signal } = options;
  const read: Positions = new Map();
  const wait = createBackoff({ minMs: 100, maxMs: 5000 });
  let next = options;
  for (;;) {
    let isNew = false;
    for (const position of read.values()) position.again = 0;
    try {
      for await (const line of runtime.logs(id, next)) {
        if (isRead(line, read, clock)) continue;
        isNew = true;
        yield line;
      }
    } catch (error) {
      // Removed since: what was read is all there is.
      if (next === options || !(error instanceof RuntimeError) || error.kind !== 'notFound') throw error;
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

/** Whether the line was read before; if not, it is now. */
function isRead({ stream, time, text }: LogLine, read: Positions, clock: Pick<Clock, 'now'>): boolean {
  const last = read.get(stream);
  if (!last || time > last.time || (time < last.time && isAhead(last.time, clock))) {
    read.set(stream, { time, text, count: 1, again: undefined });
    return false;
  }
  if (time < last.time) last.again = 0;
  else if (last.again !== undefined) last.again += 1;
  else if (text.equals(last.text)) return true;
  const isOld = last.again !== undefined && last.again <= last.count;
  if (!isOld) last.count += 1;
  return isOld;
}

/** What is in the future was written before the clock was set back: older times are new then. */
const isAhead = (time: string, clock: Pick<Clock, 'now'>): boolean =>
  Date.parse(time) > clock.now().getTime();

/** From the last line of the stream that is furthest behind; a tail counts for the first time only. */
function resumed(options: LogOptions, read: Positions): LogOptions {
  const [earliest] = [...read.values()].map(({ time }) => time).toSorted();
  const since = earliest === undefined ? options.since : new Date(earliest);
  const { tailLines: _, since: __, ...rest } = options;
  if (earliest === undefined) return { ...options };
  return { ...rest, ...(since && { since }) };
}
