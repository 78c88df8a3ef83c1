/**
 * Writes the files of a volume so that a reader sees all old or all new: a directory per version, `..data` links to
 * the current one and is switched by a rename, and every visible name links through `..data`.
 *
 *   volume/..2026_11_21_02_17_04.123/key    volume/..data -> ..2026_11_21...    volume/key -> ..data/key
 *
 * The layout is Kubernetes' own; programs that watch their configuration rely on the switch of `..data`.
 */
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hasCode, ifExists } from '../../src/host/files.js';
import { groupMode } from './ownership.js';
import type { Payload, PayloadFile } from './payload.js';

const current = '..data';

export interface WriteOptions {
  now: Date;
  /** `fsGroup`: who may read it all, whatever the modes say. */
  group: number | undefined;
  /** Directories that are there for mounts of containers, besides the files. */
  mountPoints?: readonly string[];
}

/** Makes `directory` show exactly `payload`; returns whether anything changed. Idempotent, also after a crash. */
export async function writePayload(
  directory: string,
  payload: Payload,
  options: WriteOptions,
): Promise<boolean> {
  const { group, mountPoints = [] } = options;
  const files: Payload = new Map([...payload].map(([path, file]) => [path, accessible(file, group)]));
  const old = await ifExists(readlink(join(directory, current)));
  const isSame = old !== undefined && (await isEqual(join(directory, old), files));
  if (!isSame) {
    const made = await writeVersion(directory, files, options);
    const link = join(directory, '..data_tmp');
    await rm(link, { force: true });
    await symlink(made, link);
    await rename(link, join(directory, current));
  }
  await linkNames(directory, files);
  await removeOld(directory, files, mountPoints);
  for (const point of mountPoints) await mkdir(join(directory, point), { recursive: true, mode: 0o755 });
  return !isSame;
}

const accessible = (file: PayloadFile, group: number | undefined): PayloadFile =>
  group === undefined
    ? file
    : { ...file, mode: groupMode(file.mode, { isDirectory: false, readOnly: true }) };

async function isEqual(directory: string, payload: Payload): Promise<boolean> {
  const present = await filesBelow(directory, '');
  if (present.length !== payload.size) return false;
  for (const [path, file] of payload) {
    if (!present.includes(path)) return false;
    if (!file.data.equals(await readFile(join(directory, path)))) return false;
    const { mode, uid } = await lstat(join(directory, path));
    if ((mode & 0o777) !== (file.mode & 0o777) || uid !== (file.user ?? 0)) return false;
  }
  return true;
}

async function filesBelow(directory: string, prefix: string): Promise<string[]> {
  try {
    const entries = await readdir(join(directory, prefix), { withFileTypes: true });
    const nested = await Promise.all(
      entries.map(async (entry) => {
        const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
        return entry.isDirectory() ? filesBelow(directory, path) : [path];
      }),
    );
    return nested.flat();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

async function writeVersion(
  directory: string,
  payload: Payload,
  { now, group }: WriteOptions,
): Promise<string> {
  const stamp = now.toISOString().slice(0, 19).replace('T', '_').replaceAll(/[-:]/g, '_');
  const made = await mkdtemp(join(directory, `..${stamp}.`));
  const directories = new Set([made]);
  for (const [path, { data, mode, user = 0 }] of payload) {
    const file = join(made, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o755 });
    for (let above = dirname(file); above !== made; above = dirname(above)) directories.add(above);
    await writeFile(file, data, { mode: 0o600 });
    if (group !== undefined || user !== 0) await chown(file, user, group ?? 0);
    await chmod(file, mode);
  }
  for (const path of directories) {
    if (group !== undefined) await chown(path, 0, group);
    await chmod(path, group === undefined ? 0o755 : 0o2755);
  }
  return made.slice(directory.length + 1);
}

const topNames = (payload: Payload): Set<string> =>
  new Set([...payload.keys()].map((path) => path.split('/')[0] ?? ''));

async function linkNames(directory: string, payload: Payload): Promise<void> {
  for (const name of topNames(payload)) {
    await symlink(`${current}/${name}`, join(directory, name)).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST')) throw error;
    });
  }
}

async function removeOld(directory: string, payload: Payload, mountPoints: readonly string[]): Promise<void> {
  const keep = new Set([
    ...topNames(payload),
    ...mountPoints.map((path) => path.split('/')[0]),
    current,
    await ifExists(readlink(join(directory, current))),
  ]);
  for (const name of await readdir(directory)) {
    if (!keep.has(name)) await rm(join(directory, name), { recursive: true, force: true });
  }
}
