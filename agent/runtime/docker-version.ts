/**
 * 8. Which version of Docker's API we speak with a daemon, and what it can. Pure. Called by docker-client.ts.
 *
 * We need 1.41 (Docker 20.10) and know up to 1.51 (Docker 28.5). Newer daemons refuse old versions (Docker 29 takes
 * 1.44 at least), so the newest that both sides know is taken.
 */
import { RuntimeError } from './runtime.js';

const oldest = 41;
const newest = 51;

export interface ApiVersion {
  /** `1.44` */
  text: string;
  /** Says which read-only mounts are so all the way down; before, Docker decides that itself. */
  recursiveReadOnly: boolean;
  /** Mounts images. */
  imageMounts: boolean;
}

/** Rejects with `invalid` when there is no version that both know. */
export function agreeOnApi(daemon: {
  Version: string;
  ApiVersion: string;
  MinAPIVersion?: string;
}): ApiVersion {
  const minor = Math.min(newest, minorOf(daemon.ApiVersion));
  if (minor < oldest) {
    throw new RuntimeError(
      'invalid',
      `Docker ${daemon.Version} is too old: its API is ${daemon.ApiVersion}, needed is 1.${oldest} (Docker 20.10)`,
    );
  }
  if (minor < minorOf(daemon.MinAPIVersion ?? '1.0')) {
    throw new RuntimeError(
      'invalid',
      `Docker ${daemon.Version} is too new: it takes API ${daemon.MinAPIVersion} at least, known here is 1.${newest}`,
    );
  }
  return { text: `1.${minor}`, recursiveReadOnly: minor >= 44, imageMounts: minor >= 48 };
}

/** Docker's API has been 1.x from the first release on; another major version is newer than all of them. */
function minorOf(version: string): number {
  const [major = '', minor = ''] = version.split('.');
  return major === '1' ? Number(minor) : Number.POSITIVE_INFINITY;
}
