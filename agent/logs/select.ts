/**
 * The bytes of a container's log that were asked for: a transform over what the runtime reads. Called by
 * `agent/server`.
 *
 * The runtime finds the tail and follows; here lines get their time and newline, what is too old is left out, and the
 * answer is cut at its limit. The parts of a very long line are put together again without ever being held whole.
 */
import type { Clock } from '../../src/host/clock.js';
import type { LogLine, LogOptions } from '../runtime/runtime.js';
import { followLog, type LogSource } from './follow.js';
import type { LogSelection } from './options.js';

/** Yields one buffer per line or part of a line. Ends when the log does, or `signal` aborts. */
export function readLog(
  runtime: LogSource,
  request: { id: string; selection: LogSelection; clock: Pick<Clock, 'sleep' | 'now'> },
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const { id, clock } = request;
  const { follow, timestamps, tailLines, since } = request.selection;
  const options: LogOptions = {
    follow,
    timestamps,
    signal,
    ...(tailLines !== undefined && { tailLines }),
    ...(since && { since }),
  };
  const lines = follow ? followLog(runtime, id, options, clock) : runtime.logs(id, options);
  return selectLines(lines, request.selection);
}

/** Leaving the loop early (limit reached, reader gone) ends `lines` too. */
export async function* selectLines(
  lines: AsyncIterable<LogLine>,
  selection: Pick<LogSelection, 'timestamps' | 'since' | 'limitBytes' | 'stream'>,
): AsyncGenerator<Buffer, void, undefined> {
  const { timestamps, since, stream, limitBytes = Number.POSITIVE_INFINITY } = selection;
  const unfinished = { stdout: false, stderr: false };
  let left = limitBytes;
  for await (const line of lines) {
    if (stream !== undefined && line.stream !== stream) continue;
    const continues = unfinished[line.stream];
    if (since && isBefore(line.time, since)) continue;
    unfinished[line.stream] = line.partial ?? false;
    const whole = render(line, timestamps && !continues);
    const part = whole.length > left ? whole.subarray(0, left) : whole;
    yield part;
    left -= part.length;
    if (left <= 0) return;
  }
}

function render({ time, text, partial }: LogLine, withTime: boolean): Buffer {
  if (!withTime && partial) return text;
  return Buffer.concat([Buffer.from(withTime ? `${time} ` : ''), text, Buffer.from(partial ? '' : '\n')]);
}

/** Nanoseconds do not matter here: what users name are seconds. */
const isBefore = (time: string, since: Date): boolean => Date.parse(time) < since.getTime();
