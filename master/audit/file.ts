/**
 * The audit log as a file of JSON lines, mode 0600: rotated by size, old files removed by age and number. Carries the batches
 * of a `Spool`.
 *
 * Only whole lines stay: what a failed write or a crash left of a line is cut off again. Rotated files are called as
 * kube-apiserver calls them: `audit-2026-01-31T12-00-00.000.log`, with `.gz` when compressed.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Clock } from '../../src/host/clock.js';
import { ensureDirectory } from '../../src/host/files.js';

export interface RotatedFileOptions {
  path: string;
  maxBytes: number;
  /** Rotated files that are kept; 0: all. */
  maxBackups: number;
  /** Days that rotated files are kept; 0: for ever. */
  maxAgeDays: number;
  compress: boolean;
  clock: Clock;
}

const dayMs = 24 * 3_600_000;
const newline = 0x0a;

export class RotatedFile {
  readonly #options: RotatedFileOptions;
  #file: FileHandle | undefined;

  constructor(options: RotatedFileOptions) {
    this.#options = options;
  }

  /** Throws when the file cannot be written: better at the start than at the first event. */
  async open(): Promise<void> {
    await ensureDirectory(dirname(this.#options.path), 0o700);
    this.#file = await this.#openFile();
    await this.#prune();
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** All lines or, when it rejects, none. */
  async append(lines: readonly string[]): Promise<void> {
    const bytes = Buffer.from(`${lines.join('\n')}\n`);
    this.#file ??= await this.#openFile();
    let { size } = await this.#file.stat();
    if (size > 0 && size + bytes.length > this.#options.maxBytes) {
      await this.#rotate();
      size = 0;
    }
    const file = this.#file;
    try {
      await file.appendFile(bytes);
    } catch (error) {
      await file.truncate(size);
      throw error;
    }
  }

  async #openFile(): Promise<FileHandle> {
    const file = await open(this.#options.path, 'a+', 0o600);
    try {
      await file.chmod(0o600);
      await cutHalfLine(file);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #rotate(): Promise<void> {
    const { path, clock, compress } = this.#options;
    await this.close();
    const time = clock.now().toISOString().slice(0, 23).replaceAll(':', '-');
    const { stem, extension } = partsOf(path);
    const old = await freeName(join(dirname(path), `${stem}-${time}`), extension);
    await rename(path, old);
    this.#file = await this.#openFile();
    if (compress) await gzipFile(old);
    await this.#prune();
  }

  async #prune(): Promise<void> {
    const { path, maxBackups, maxAgeDays, clock } = this.#options;
    if (maxBackups === 0 && maxAgeDays === 0) return;
    const old = (await readdir(dirname(path))).filter((name) => timeOf(path, name) !== undefined);
    const newestFirst = old.sort().reverse();
    const limit = clock.now().getTime() - maxAgeDays * dayMs;
    const surplus = newestFirst.filter(
      (name, index) =>
        (maxBackups > 0 && index >= maxBackups) || (maxAgeDays > 0 && (timeOf(path, name) ?? 0) < limit),
    );
    for (const name of surplus) await rm(join(dirname(path), name), { force: true });
  }
}

function partsOf(path: string): { stem: string; extension: string } {
  const extension = extname(path);
  return { stem: basename(path, extension), extension };
}

/** When a file of this name was rotated; undefined for the files of others. */
function timeOf(path: string, name: string): number | undefined {
  const { stem, extension } = partsOf(path);
  if (!name.startsWith(`${stem}-`)) return undefined;
  const rest = name.slice(stem.length + 1).replace(/\.gz$/, '');
  if (!rest.endsWith(extension)) return undefined;
  const text = rest.slice(0, rest.length - extension.length);
  const [, date, hours, minutes, seconds] =
    /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3})(?:-\d+)?$/.exec(text) ?? [];
  return date === undefined ? undefined : Date.parse(`${date}T${hours}:${minutes}:${seconds}Z`);
}

/** Two rotations may fall into one millisecond. */
async function freeName(stem: string, extension: string): Promise<string> {
  const taken = new Set(await readdir(dirname(stem)));
  const isTaken = (path: string): boolean => taken.has(basename(path)) || taken.has(`${basename(path)}.gz`);
  let path = `${stem}${extension}`;
  for (let number = 1; isTaken(path); number += 1) path = `${stem}-${number}${extension}`;
  return path;
}

/** Under another name until it is whole. */
async function gzipFile(path: string): Promise<void> {
  const half = `${path}.gz.tmp`;
  await pipeline(createReadStream(path), createGzip(), createWriteStream(half, { mode: 0o600 }));
  await rename(half, `${path}.gz`);
  await rm(path, { force: true });
}

/** What a crash left behind the last line break goes away. Files that cannot be read back (pipes) are left alone. */
async function cutHalfLine(file: FileHandle): Promise<void> {
  const stat = await file.stat();
  if (!stat.isFile()) return;
  const chunk = Buffer.alloc(64 * 1024);
  let end = stat.size;
  while (end > 0) {
    const start = Math.max(0, end - chunk.length);
    const { bytesRead } = await file.read(chunk, 0, end - start, start);
    const at = chunk.subarray(0, bytesRead).lastIndexOf(newline);
    if (at >= 0) {
      end = start + at + 1;
      break;
    }
    end = start;
  }
  if (end < stat.size) await file.truncate(end);
}
