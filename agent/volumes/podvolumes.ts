/**
 * Puts the parts of this folder together. Called by `agent/pods/assembly.ts`, and by tests that want a whole one.
 */
import type { SelectableNode } from '../../src/api/nodeselector.js';
import type { Client } from '../../src/client/client.js';
import type { Clock } from '../../src/host/clock.js';
import type { Exec } from '../../src/host/exec.js';
import type { Logger } from '../../src/host/log.js';
import type { PodImages, PodVolumes } from '../pods/needs.js';
import type { RuntimeFeatures } from '../runtime/runtime.js';
import { createContainerMounts } from './containermounts.js';
import { createEmptyDir } from './emptydir.js';
import { createImageVolumes } from './imagevolume.js';
import { createLocal } from './local.js';
import { createMemoryDirectory, memoryDirectoryOf } from './memory.js';
import { createMounter } from './mounts.js';
import { createNfs } from './nfs.js';
import { createReferencedObjects, type ReferencedObjects } from './objects.js';
import { createPersistent } from './persistent.js';
import { createPayloadReader, type SourceFacts } from './sources.js';
import { createServiceAccountTokens } from './tokens.js';
import { createVolumes, hostPathPlug, isUsedByOthers, type Placements } from './volumes.js';

export interface PodVolumesOptions {
  client: Client;
  exec: Exec;
  clock: Clock;
  log: Logger;
  images: PodImages;
  features(): Promise<RuntimeFeatures>;
  facts: SourceFacts;
  /** This node as selectors see it. */
  node(): SelectableNode;
  /** `<data-dir>/agent/pods`. */
  podsDirectory: string;
  /** Where `mount` has its helpers; `/sbin` by default. */
  mountHelpers?: string;
  /** Something that the volumes of the pod show, or wait for, changed: `prepare` again. */
  onChange(podUid: string): void;
}

export function createPodVolumes(options: PodVolumesOptions): {
  volumes: PodVolumes;
  objects: ReferencedObjects;
} {
  const { client, clock, log, exec, features, facts, onChange } = options;
  const mounter = createMounter(exec);
  const objects = createReferencedObjects({ client, clock, log, onChange });
  const tokens = createServiceAccountTokens({ client, clock, onRenewal: onChange });
  const images = createImageVolumes({ images: options.images, features, clock, onPulled: onChange });
  const placements: Placements = new Map();
  const nfs = createNfs({ mounter, helpers: options.mountHelpers });
  const claim = createPersistent({
    client,
    objects,
    node: options.node,
    local: createLocal({ mounter, exec }),
    hostPath: hostPathPlug,
    nfs,
    isUsedByOthers: isUsedByOthers(placements),
  });
  const volumes = createVolumes({
    podsDirectory: options.podsDirectory,
    memory: createMemoryDirectory(memoryDirectoryOf(options.podsDirectory), mounter),
    readPayload: createPayloadReader({ objects, tokens, facts }),
    plugs: {
      emptyDir: createEmptyDir({ mounter, allocatable: facts.allocatable }),
      nfs,
      image: images.plug,
      claim,
    },
    placements,
    containerMounts: createContainerMounts({ mounter, features }),
    mounter,
    clock,
    release: async (uid) => {
      tokens.release(uid);
      images.release(uid);
      await objects.release(uid);
    },
  });
  return { volumes, objects };
}
