/**
 * hostPath volumes: checks, or makes, what is on the host, as the volume's type asks.
 */

import type { Stats } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import type { HostPathVolumeSource } from '../../src/api/types.js';
import { ifExists } from '../../src/host/files.js';

const checks: Record<string, { what: string; is: (found: Stats) => boolean }> = {
  Directory: { what: 'directory', is: (found) => found.isDirectory() },
  DirectoryOrCreate: { what: 'directory', is: (found) => found.isDirectory() },
  File: { what: 'file', is: (found) => found.isFile() },
  FileOrCreate: { what: 'file', is: (found) => found.isFile() },
  Socket: { what: 'socket file', is: (found) => found.isSocket() },
  CharDevice: { what: 'character device', is: (found) => found.isCharacterDevice() },
  BlockDevice: { what: 'block device', is: (found) => found.isBlockDevice() },
};

/** Rejects with Kubernetes' wording when the type does not fit. Without a type, what is missing becomes a directory. */
export async function ensureHostPath({ path, type = '' }: HostPathVolumeSource): Promise<void> {
  if (!path.startsWith('/') || path.split('/').includes('..'))
    throw new Error(`hostPath must be absolute and not contain '..': ${path}`);
  const found = await ifExists(stat(path));
  if (found === undefined) {
    if (type === '' || type === 'DirectoryOrCreate') await mkdir(path, { recursive: true, mode: 0o755 });
    else if (type === 'FileOrCreate') await (await open(path, 'a', 0o644)).close();
    else throw new Error(`hostPath type check failed: ${path} is not a ${checks[type]?.what ?? type}`);
    return;
  }
  const check = checks[type];
  if (type !== '' && !check) throw new Error(`${type} is an invalid volume type`);
  if (check && !check.is(found))
    throw new Error(`hostPath type check failed: ${path} is not a ${check.what}`);
}
