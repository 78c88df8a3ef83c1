/**
 * The volumes of the pods on this node. Called by `agent/pods`: `prepare` before containers start and again when
 * something they show changed, `mountsOf` and `devicesOf` for each container, `tearDown` when the pod is gone.
 *
 *   <pods>/<uid>/volumes/<volume>          what is made for the pod, and everything that is mounted for it
 *   <pods>/<uid>/subpaths/<container>/<n>  sub-paths, bound
 *   <memory>/<uid>/<volume>                secrets and tokens: one tmpfs for all pods, so that none costs a mount
 *
 * Names come from the API and are checked before they become paths. What was placed
 * stays where it is; a `prepare` that comes again looks only at what can change.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container, Pod, Volume } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import { podName, podUid } from '../pods/names.js';
import { ConfigError, type PodVolumes, VolumeError } from '../pods/needs.js';
import type { Device, Mount } from '../runtime/runtime.js';
import { writePayload } from './atomic.js';
import { type ContainerMounts, isMountable } from './containermounts.js';
import { ensureHostPath } from './hostpath.js';
import type { MemoryDirectory } from './memory.js';
import type { Mounter } from './mounts.js';
import { mountPointsWithin, type VolumeUse, volumesInUse } from './nested.js';
import type { ClaimReference } from './persistent.js';
import type { Placement, Plug, PlugRequest } from './placement.js';
import type { ReadPayload } from './sources.js';

/** The kinds of volume that have storage of their own. */
export interface Plugs {
  emptyDir: Plug<NonNullable<Volume['emptyDir']>>;
  nfs: Plug<NonNullable<Volume['nfs']>>;
  image: Plug<NonNullable<Volume['image']>>;
  claim: Plug<ClaimReference>;
}

export interface VolumesOptions {
  /** `<data-dir>/agent/pods`. */
  podsDirectory: string;
  memory: MemoryDirectory;
  readPayload: ReadPayload;
  plugs: Plugs;
  placements: Placements;
  containerMounts: ContainerMounts;
  mounter: Mounter;
  clock: Clock;
  /** Ends the watches, tokens and pulls of a pod. */
  release(uid: string): Promise<void>;
}

/** By pod uid and name of the volume; lost with the process, made anew by the next `prepare`. */
export type Placements = Map<string, Map<string, Placement>>;

/** hostPath needs nothing but the look; the files are the host's, `fsGroup` does not change them. */
export const hostPathPlug: Plug<NonNullable<Volume['hostPath']>> = async (source, { readOnly }) => {
  await ensureHostPath(source);
  return { hostPath: source.path, readOnly };
};

export function createVolumes(options: VolumesOptions): PodVolumes {
  const { mounter, placements, plugs } = options;
  const podDirectory = (uid: string): string => join(options.podsDirectory, requireName(uid));
  /** Containers of a pod that start together ask together. */
  const running = new Map<string, { pod: Pod; done: Promise<void> }>();

  async function place(
    volume: Volume,
    request: PlugRequest,
    known: Placement | undefined,
    use: VolumeUse,
  ): Promise<Placement> {
    const { pod, name } = request;
    const { persistentVolumeClaim, ephemeral } = volume;
    const isUsed = { mounts: use.mounts.has(name), devices: use.devices.has(name) };
    if (volume.emptyDir) return plugs.emptyDir(volume.emptyDir, request);
    if (volume.hostPath) return known ?? hostPathPlug(volume.hostPath, request);
    if (volume.nfs) return known ?? plugs.nfs(volume.nfs, request);
    if (volume.image) return known ?? plugs.image(volume.image, request);
    if (persistentVolumeClaim) {
      const { claimName, readOnly = false } = persistentVolumeClaim;
      const reference = { claimName, isOwned: false, use: isUsed };
      return known ?? plugs.claim(reference, { ...request, readOnly });
    }
    if (ephemeral) {
      const reference = { claimName: `${podName(pod)}-${name}`, isOwned: true, use: isUsed };
      return known ?? plugs.claim(reference, request);
    }
    return placeFiles(volume, request);
  }

  async function placeFiles(volume: Volume, { pod, name, path, signal }: PlugRequest): Promise<Placement> {
    const payload = await options.readPayload(pod, volume, signal);
    if (!payload) throw new Error(`volume type ${typeOf(volume)} is not supported by this node`);
    const isSecret = volume.secret !== undefined || volume.projected !== undefined;
    const directory = isSecret ? join(await options.memory.of(podUid(pod)), name) : path;
    await mkdir(directory, { recursive: true, mode: 0o755 });
    await writePayload(directory, payload, {
      now: options.clock.now(),
      group: pod.spec?.securityContext?.fsGroup,
      mountPoints: mountPointsWithin(pod, name),
    });
    return { hostPath: directory, readOnly: true };
  }

  async function prepare(pod: Pod, signal: AbortSignal): Promise<void> {
    const uid = podUid(pod);
    const use = volumesInUse(pod);
    const volumes = (pod.spec?.volumes ?? []).filter(
      ({ name }) => use.mounts.has(name) || use.devices.has(name),
    );
    if (volumes.length === 0) return;
    const directory = join(podDirectory(uid), 'volumes');
    await mkdir(directory, { recursive: true, mode: 0o750 });
    const known = placements.get(uid) ?? new Map<string, Placement>();
    placements.set(uid, known);
    const results = await Promise.allSettled(
      volumes.map(async (volume) => {
        const { name } = volume;
        const request = { pod, name, path: join(directory, requireName(name)), readOnly: false, signal };
        known.set(name, await place(volume, request, known.get(name), use));
      }),
    );
    results.forEach((result, index) => {
      if (result.status === 'fulfilled') return;
      const cause: unknown = result.reason;
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new VolumeError(volumes[index]?.name ?? '', message, { cause });
    });
  }

  /** One at a time for a pod; those who ask for the same meanwhile get the same answer. */
  async function prepareOnce(pod: Pod, signal: AbortSignal): Promise<void> {
    const uid = podUid(pod);
    const current = running.get(uid);
    if (current?.pod === pod) return current.done;
    const done = (async () => {
      await Promise.allSettled([current?.done]);
      await prepare(pod, signal);
    })();
    running.set(uid, { pod, done });
    try {
      await done;
    } finally {
      if (running.get(uid)?.done === done) running.delete(uid);
    }
  }

  function placementOf(pod: Pod, name: string): Placement | undefined {
    return placements.get(podUid(pod))?.get(name);
  }

  return {
    prepare: prepareOnce,
    async mountsOf(pod, spec, env) {
      const mounts: Mount[] = [];
      for (const [index, mount] of (spec.volumeMounts ?? []).entries()) {
        const placement = placementOf(pod, mount.name);
        if (!isMountable(placement))
          throw new ConfigError(`cannot find volume "${mount.name}" to mount into container "${spec.name}"`);
        const target = join(podDirectory(podUid(pod)), 'subpaths', requireName(spec.name), String(index));
        mounts.push(await options.containerMounts.mountOf({ spec, mount, placement, env, target }));
      }
      return mounts;
    },
    devicesOf: async (pod, spec) => devicesOf(spec, (name) => placementOf(pod, name)),
    async tearDown(uid) {
      await Promise.allSettled([running.get(uid)?.done]);
      await options.release(uid);
      await mounter.removeTree(join(podDirectory(uid), 'subpaths'));
      await mounter.removeTree(join(podDirectory(uid), 'volumes'));
      await options.memory.remove(requireName(uid));
      placements.delete(uid);
    },
  };
}

const devicesOf = (spec: Container, placementOf: (name: string) => Placement | undefined): Device[] =>
  (spec.volumeDevices ?? []).map(({ name, devicePath }) => {
    if (!devicePath.startsWith('/'))
      throw new ConfigError(`error DevicePath \`${devicePath}\` must be an absolute path`);
    const placement = placementOf(name);
    if (!placement?.isDevice)
      throw new ConfigError(`cannot find volume "${name}" to pass into container "${spec.name}"`);
    const { hostPath, readOnly } = placement;
    return { hostPath, containerPath: devicePath, permissions: readOnly ? 'r' : 'rwm' };
  });

/** Whether another pod of this node uses a PersistentVolume now. */
export const isUsedByOthers =
  (placements: Placements) =>
  (persistentVolume: string, uid: string): boolean =>
    [...placements].some(
      ([other, ofPod]) =>
        other !== uid &&
        [...ofPod.values()].some((placement) => placement.persistentVolume === persistentVolume),
    );

function typeOf({ name: _name, ...sources }: Volume): string {
  const [type = 'none'] = Object.keys(sources);
  return sources.csi ? `csi (driver ${sources.csi.driver})` : type;
}

/** A name from the API as one component of a path. */
export function requireName(name: string): string {
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]*)$/.test(name) || name.includes('..') || name.length > 253)
    throw new Error(`not a safe name: ${name}`);
  return name;
}
