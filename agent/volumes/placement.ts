/**
 * Contract: one kind of volume, and where a volume ended up. `volumes.ts` has the table of kinds; a kind whose storage
 * comes through a claim (`persistent.ts`) plugs in the same way.
 *
 * A plug makes everything it mounts at `path`, below the pod's directory. So one tear-down serves all kinds, also for
 * what an earlier life of the agent left, and no plug has one of its own.
 */
import type { Pod } from '../../src/api/types.js';

export interface PlugRequest {
  pod: Pod;
  /** The name of the volume in the pod. */
  name: string;
  /** `<pods>/<uid>/volumes/<name>`: may not exist; its parent does. */
  path: string;
  /** The whole volume is asked for read-only. */
  readOnly: boolean;
  signal: AbortSignal;
}

/** Where containers find a volume. */
export interface Placement {
  /** A file or directory of the host; a block device when `isDevice`; '' for an image. */
  hostPath: string;
  /** No mount of it may write. */
  readOnly: boolean;
  /** For `volumeDevices`, not for `volumeMounts`. */
  isDevice?: boolean;
  /** Behind a server: looking at it may never come back. */
  isRemote?: boolean;
  /** An image that is present, instead of `hostPath`. */
  image?: string;
  /** The PersistentVolume it is. */
  persistentVolume?: string;
}

/** Makes the volume present. Idempotent. Rejects with a message for the pod's events. */
export type Plug<Source> = (source: Source, request: PlugRequest) => Promise<Placement>;
