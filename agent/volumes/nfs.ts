/**
 * NFS shares, of pods and of PersistentVolumes. Mounted for each pod; never looked into by the agent, whose own threads
 * would hang with a server that does not answer.
 */
import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { NFSVolumeSource } from '../../src/api/types.js';
import { hasCode } from '../../src/host/files.js';
import type { Mounter } from './mounts.js';
import type { Plug } from './placement.js';

export interface NfsOptions {
  mounter: Mounter;
  /** Where `mount` looks for its helpers; `/sbin` by default. */
  helpers?: string | undefined;
  /** How long a server may take; 30 s by default. It is tried again with the next attempt to start the pod. */
  timeoutMs?: number;
}

export interface NfsShare extends NFSVolumeSource {
  /** Of the PersistentVolume. */
  mountOptions?: readonly string[] | undefined;
}

const defaultTimeoutMs = 30_000;

export function createNfs(given: NfsOptions): Plug<NfsShare> {
  const { mounter, helpers = '/sbin', timeoutMs = defaultTimeoutMs } = given;
  return async ({ server, path: shared, readOnly, mountOptions = [] }, request) => {
    const isReadOnly = readOnly === true || request.readOnly;
    const { path } = request;
    if (!(await mounter.isMounted(path))) {
      await requireHelper(join(helpers, 'mount.nfs'));
      await mkdir(path, { recursive: true, mode: 0o750 });
      const source = `${server.includes(':') ? `[${server}]` : server}:${shared}`;
      const options = [...(isReadOnly ? ['ro'] : []), ...mountOptions];
      await mounter.mount({ type: 'nfs', source, path, options, timeoutMs });
    }
    return { hostPath: path, readOnly: isReadOnly, isRemote: true };
  };
}

async function requireHelper(path: string): Promise<void> {
  try {
    await access(path, constants.X_OK);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    throw new Error(
      `NFS needs the program ${path}, which this node does not have: install the package nfs-common (nfs-utils on some distributions)`,
      { cause: error },
    );
  }
}
