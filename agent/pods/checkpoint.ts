/**
 * What the agent decided about a pod and neither the runtime's labels nor the API know (yet): that the node ends it, and
 * the resources it was given by a resize. One small file per pod, written before the decision is acted upon, gone with
 * the pod's directory. Read once, at the start of the agent; after that the record of the pod is the truth.
 */
import { join } from 'node:path';
import type { ResourceRequirements } from '../../src/api/types.js';
import { ensureDirectory, namesIn, readIfExists, writeAtomic } from '../../src/host/files.js';
import type { Logger } from '../../src/host/log.js';
import { requireName } from '../volumes/volumes.js';
import type { PodEnd } from './needs.js';

export interface NodeEnd extends PodEnd {
  /** The node never took it: nothing of it was made. */
  isRefused?: boolean;
}

/** By container name. */
export type Allocation = Readonly<Record<string, ResourceRequirements>>;

export interface Checkpoint {
  end?: NodeEnd | undefined;
  /** See `Observed`. */
  earlierRun?: Readonly<Record<string, number>> | undefined;
  /** Only after a resize. */
  allocation?: Allocation | undefined;
}

export interface Checkpoints {
  /** By uid; a file that cannot be read is logged and left out: what it said is decided anew. */
  readAll(): Promise<Map<string, Checkpoint>>;
  write(uid: string, checkpoint: Checkpoint): Promise<void>;
}

const fileName = 'checkpoint.json';

export function createCheckpoints(podsDirectory: string, log: Logger): Checkpoints {
  async function read(uid: string): Promise<Checkpoint | undefined> {
    const data = await readIfExists(join(podsDirectory, uid, fileName));
    return data && (JSON.parse(data.toString()) as Checkpoint);
  }

  return {
    async readAll() {
      const found = new Map<string, Checkpoint>();
      for (const uid of await namesIn(podsDirectory)) {
        try {
          const checkpoint = await read(uid);
          if (checkpoint) found.set(uid, checkpoint);
        } catch (error) {
          log.warn({ err: error, podUid: uid }, 'the checkpoint of a pod cannot be read');
        }
      }
      return found;
    },
    async write(uid, checkpoint) {
      const directory = join(podsDirectory, requireName(uid));
      await ensureDirectory(directory, 0o750);
      await writeAtomic(join(directory, fileName), JSON.stringify(checkpoint), 0o600);
    },
  };
}
