/**
 * 8. Lines of a container's log file, as CRI defines it: time, stream, tags, text; the first tag is F for a full line and
 * P for a part of a long one. Pure. Called by logs.ts.
 */
import type { LogLine } from '../runtime.js';

const space = 0x20;

/** `undefined` for what is no line of a log: the half of one that a full disk cut off. */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const timeEnd = line.indexOf(space);
  const streamEnd = line.indexOf(space, timeEnd + 1);
  if (timeEnd < 0 || streamEnd < 0) return undefined;
  // Without any text some writers leave out the last space.
  const found = line.indexOf(space, streamEnd + 1);
  const tagsEnd = found < 0 ? line.length : found;
  const stream = line.toString('latin1', timeEnd + 1, streamEnd);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const tag = line.toString('latin1', streamEnd + 1, tagsEnd).split(':')[0];
  return {
    stream,
    time: line.toString('latin1', 0, timeEnd),
    text: line.subarray(tagsEnd + 1),
    ...(tag === 'P' && { partial: true }),
  };
}
