/**
 * 8. Reading the log files of a container: those that were rotated, the oldest first, then the one being written.
 * Called by cri.ts.
 *
 * A reader that follows sleeps until the directory changes; that the container has ended, which no file tells, it learns
 * by asking once a second, and reads to the end once more. A file that is rotated away is read to its end first.
 */
import { watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../../src/host/clock.js';
import { hasCode, ifExists, namesIn } from '../../../src/host/files.js';
import type { LogLine, LogOptions } from '../runtime.js';
import { parseLogLine } from './log-format.js';

const blockBytes = 64 * 1024;
const lookMs = 1000;
const newline = 0x0a;

export interface LogSource {
  /** Of the file being written. */
  path: string;
  isRunning(): Promise<boolean>;
  clock: Clock;
}

/** Log files that exist, the oldest first; the one being written is the last. */
export async function logFiles(path: string): Promise<string[]> {
  const [directory, name] = [dirname(path), basename(path)];
  const names = await namesIn(directory);
  const rotated = names.filter((found) => found.startsWith(`${name}.`)).sort();
  return [...rotated, ...(names.includes(name) ? [name] : [])].map((found) => join(directory, found));
}

export async function* readLogs(
  source: LogSource,
  options: LogOptions,
): AsyncGenerator<LogLine, void, undefined> {
  const { signal, since } = options;
  if (signal.aborted) return;
  let isRecent = since === undefined;
  for await (const line of lines(source, options)) {
    const parsed = parseLogLine(line);
    isRecent ||= parsed !== undefined && Date.parse(parsed.time) >= (since?.getTime() ?? 0);
    if (parsed && isRecent) yield parsed;
  }
}

async function* lines(source: LogSource, options: LogOptions): AsyncGenerator<Buffer, void, undefined> {
  const changes = options.follow ? watchDirectory(source, options.signal) : undefined;
  try {
    const files = await logFiles(source.path);
    const follow = changes && { changes, source };
    // Without following, the log ends where it ended when it was asked for: so many last lines are no more.
    const end = follow ? Number.POSITIVE_INFINITY : await sizeOf(files.at(-1));
    const start = await startOf(files, end, options.tailLines);
    for (const [at, file] of files.entries()) {
      if (at < start.file) continue;
      const range = { from: at === start.file ? start.offset : 0, end: Number.POSITIVE_INFINITY };
      const isLast = at === files.length - 1;
      if (isLast) yield* linesOf(file, { ...range, end }, options.signal, follow);
      else yield* linesOf(file, range, options.signal, undefined);
    }
    // It has not written anything yet.
    if (files.length === 0) yield* linesOf(source.path, { from: 0, end }, options.signal, follow);
  } finally {
    changes?.close();
  }
}

interface Follow {
  changes: Changes;
  source: LogSource;
}

const sizeOf = async (path: string | undefined): Promise<number> =>
  path === undefined ? 0 : ((await ifExists(stat(path)))?.size ?? 0);

async function* linesOf(
  path: string,
  range: { from: number; end: number },
  signal: AbortSignal,
  follow: Follow | undefined,
): AsyncGenerator<Buffer, void, undefined> {
  let file = await ifExists(open(path));
  let offset = range.from;
  let rest: Buffer = Buffer.alloc(0);
  // Whether there can be no more than what is there now.
  let isOver = false;
  try {
    while (!signal.aborted) {
      const block = file ? await readBlock(file, offset, range.end) : Buffer.alloc(0);
      if (block.length > 0) {
        offset += block.length;
        rest = rest.length > 0 ? Buffer.concat([rest, block]) : block;
        for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
          yield rest.subarray(0, end);
          if (signal.aborted) return;
          rest = rest.subarray(end + 1);
        }
        continue;
      }
      if (follow && (await isReplaced(file, path))) {
        await file?.close();
        file = await ifExists(open(path));
        [offset, rest] = [0, Buffer.alloc(0)];
        if (file) continue;
      }
      if (!follow || isOver) return;
      if (!(await follow.source.isRunning())) isOver = true;
      else await follow.changes.wait();
    }
  } finally {
    await file?.close();
  }
}

async function readBlock(file: FileHandle, offset: number, end: number): Promise<Buffer> {
  const length = Math.min(blockBytes, end - offset);
  if (length <= 0) return Buffer.alloc(0);
  const buffer = Buffer.allocUnsafe(length);
  const { bytesRead } = await file.read(buffer, 0, length, offset);
  return buffer.subarray(0, bytesRead);
}

/** Whether another file has the name now. */
async function isReplaced(file: FileHandle | undefined, path: string): Promise<boolean> {
  const there = await ifExists(stat(path));
  if (!there) return false;
  return file === undefined || (await file.stat()).ino !== there.ino;
}

/** Where the last `count` lines begin. */
async function startOf(
  files: readonly string[],
  end: number,
  count: number | undefined,
): Promise<{ file: number; offset: number }> {
  if (count === undefined) return { file: 0, offset: 0 };
  let wanted = count;
  for (let at = files.length - 1; at >= 0; at -= 1) {
    const isLast = at === files.length - 1;
    const found = await tailOf(files[at] ?? '', isLast ? end : Number.POSITIVE_INFINITY, wanted);
    if (found.isEnough) return { file: at, offset: found.offset };
    wanted -= found.lines;
  }
  return { file: 0, offset: 0 };
}

/** Reads backwards until `count` lines are there. */
async function tailOf(
  path: string,
  limit: number,
  count: number,
): Promise<{ isEnough: boolean; offset: number; lines: number }> {
  const file = await ifExists(open(path));
  if (!file) return { isEnough: false, offset: 0, lines: 0 };
  try {
    const size = Math.min((await file.stat()).size, limit);
    let seen = 0;
    for (let end = size; end > 0; end -= blockBytes) {
      const from = Math.max(0, end - blockBytes);
      const block = await readBlock(file, from, end);
      for (let at = block.length - 1; at >= 0; at -= 1) {
        if (block[at] !== newline) continue;
        // The newline before the wanted lines ends the one that is not wanted any more.
        if (seen === count) return { isEnough: true, offset: from + at + 1, lines: seen };
        seen += 1;
      }
    }
    return { isEnough: false, offset: 0, lines: seen };
  } finally {
    await file.close();
  }
}

interface Changes {
  /** Resolves when something has changed since the last time, and after a second. */
  wait(): Promise<void>;
  close(): void;
}

function watchDirectory({ path, clock }: LogSource, signal: AbortSignal): Changes {
  let hasChanged = true;
  let wake = (): void => undefined;
  const onChange = (): void => {
    hasChanged = true;
    wake();
  };
  signal.addEventListener('abort', onChange, { once: true });
  const watcher = openWatcher(dirname(path), onChange);
  return {
    async wait() {
      if (!hasChanged) {
        await new Promise<void>((resolve) => {
          const cancel = clock.after(lookMs, resolve);
          wake = () => {
            cancel();
            resolve();
          };
        });
      }
      hasChanged = false;
    },
    close() {
      signal.removeEventListener('abort', onChange);
      watcher?.close();
    },
  };
}

/** Without a watcher (no directory yet, no more watches on this host) the look once a second is what is left. */
function openWatcher(directory: string, onChange: () => void): ReturnType<typeof watch> | undefined {
  try {
    const watcher = watch(directory, { persistent: false }, onChange);
    watcher.on('error', onChange);
    return watcher;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOSPC', 'EMFILE')) return undefined;
    throw error;
  }
}
