/**
 * The volumes of the pods on this node. Called by `agent/pods`: `prepare` before containers start and again when
 * something they show changed, `tearDown` when the pod is gone.
 *
 *   <pods>/<uid>/volumes/<volume>        emptyDir, and the files of configMap, secret, downwardAPI, projected
 *   <pods>/<uid>/subpaths/<container>/<n>  sub-paths, bound
 *
 * Secrets and tokens are on a tmpfs. Names come from the API and are checked before they become paths.
 */
import { chmod, chown, mkdir, open, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { toBytes } from '../../src/api/quantity.js';
import type { Container, Pod, Volume, VolumeMount } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import { hasCode } from '../../src/host/files.js';
import { expand } from '../pods/environment.js';
import { podUid } from '../pods/names.js';
import { ConfigError, type PodVolumes, VolumeError } from '../pods/needs.js';
import type { Mount } from '../runtime/runtime.js';
import { writePayload } from './atomic.js';
import { ensureHostPath } from './hostpath.js';
import type { Mounter } from './mounts.js';
import type { ReadPayload } from './sources.js';
import { openSubPath } from './subpath.js';

export interface VolumesOptions {
  /** `<data-dir>/agent/pods`. */
  podsDirectory: string;
  readPayload: ReadPayload;
  mounter: Mounter;
  clock: Clock;
  /** Ends the watches and tokens of a pod. */
  release(uid: string): Promise<void>;
}

export function createVolumes(options: VolumesOptions): PodVolumes {
  const { mounter } = options;
  const podDirectory = (uid: string): string => join(options.podsDirectory, requireName(uid));
  const pathOf = (pod: Pod, volume: Volume): string =>
    volume.hostPath
      ? volume.hostPath.path
      : join(podDirectory(podUid(pod)), 'volumes', requireName(volume.name));

  async function prepareOne(pod: Pod, volume: Volume, signal: AbortSignal): Promise<void> {
    if (volume.hostPath) return ensureHostPath(volume.hostPath);
    const path = pathOf(pod, volume);
    const group = pod.spec?.securityContext?.fsGroup;
    if (volume.emptyDir) return prepareEmptyDir(path, volume.emptyDir, group);
    const payload = await options.readPayload(pod, volume, signal);
    if (!payload) throw new Error(`volume type ${typeOf(volume)} is not supported by this node`);
    await mkdir(path, { recursive: true, mode: 0o755 });
    if (volume.secret || volume.projected) await mounter.tmpfs(path, undefined);
    await writePayload(path, payload, options.clock.now(), group);
  }

  async function prepareEmptyDir(
    path: string,
    source: NonNullable<Volume['emptyDir']>,
    group: number | undefined,
  ): Promise<void> {
    const mode = group === undefined ? 0o777 : 0o2777;
    const share = async (directory: string): Promise<void> => {
      if (group !== undefined) await chown(directory, 0, group);
      await chmod(directory, mode);
    };
    if (!(await isDirectory(path))) {
      // Shown under its name only when it is complete: a crash leaves nothing half-made.
      const draft = `${path}.new`;
      await mkdir(draft, { recursive: true });
      await share(draft);
      await rename(draft, path);
    }
    if (source.medium !== 'Memory' || (await mounter.isMounted(path))) return;
    await mounter.tmpfs(path, source.sizeLimit === undefined ? undefined : toBytes(source.sizeLimit), mode);
    await share(path);
  }

  async function mountOf(
    pod: Pod,
    spec: Container,
    mount: VolumeMount,
    env: ReadonlyMap<string, string>,
  ): Promise<Mount> {
    const volume = pod.spec?.volumes?.find(({ name }) => name === mount.name);
    if (!volume) throw new ConfigError(`volume "${mount.name}" not found`);
    const isFiles = !volume.emptyDir && !volume.hostPath;
    const subPath = mount.subPathExpr ? expand(mount.subPathExpr, env) : mount.subPath;
    const root = pathOf(pod, volume);
    const index = spec.volumeMounts?.indexOf(mount) ?? 0;
    return {
      hostPath: subPath ? await bindSubPath(pod, spec, { root, subPath, index }) : root,
      containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
      readOnly: mount.readOnly === true || isFiles,
      propagation: propagationOf(mount.mountPropagation),
    };
  }

  async function bindSubPath(
    pod: Pod,
    spec: Container,
    at: { root: string; subPath: string; index: number },
  ): Promise<string> {
    const target = join(podDirectory(podUid(pod)), 'subpaths', requireName(spec.name), String(at.index));
    const handle = await openSubPath(at.root, at.subPath).catch((error: unknown) => {
      throw new ConfigError(
        `failed to prepare subPath for volumeMount of container "${spec.name}": ${String(error)}`,
        { cause: error },
      );
    });
    try {
      await mounter.unmountBelow(target);
      await mkdir(join(target, '..'), { recursive: true, mode: 0o750 });
      if ((await handle.stat()).isDirectory()) await mkdir(target, { recursive: true, mode: 0o750 });
      else await (await open(target, 'a', 0o640)).close();
      await mounter.bindDescriptor(handle.fd, target);
      return target;
    } finally {
      await handle.close();
    }
  }

  return {
    async prepare(pod, signal) {
      const volumes = pod.spec?.volumes ?? [];
      const results = await Promise.allSettled(volumes.map((volume) => prepareOne(pod, volume, signal)));
      results.forEach((result, index) => {
        if (result.status === 'fulfilled') return;
        const cause: unknown = result.reason;
        throw new VolumeError(
          volumes[index]?.name ?? '',
          cause instanceof Error ? cause.message : String(cause),
          { cause },
        );
      });
    },
    mountsOf: async (pod, spec, env) => {
      const mounts: Mount[] = [];
      for (const mount of spec.volumeMounts ?? []) mounts.push(await mountOf(pod, spec, mount, env));
      return mounts;
    },
    async tearDown(uid) {
      await options.release(uid);
      await mounter.removeTree(join(podDirectory(uid), 'subpaths'));
      await mounter.removeTree(join(podDirectory(uid), 'volumes'));
    },
  };
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

const typeOf = ({ name, ...sources }: Volume): string => Object.keys(sources)[0] ?? `of ${name}`;

function propagationOf(propagation: string | undefined): 'private' | 'rslave' | 'rshared' {
  if (propagation === 'Bidirectional') return 'rshared';
  return propagation === 'HostToContainer' ? 'rslave' : 'private';
}

/** A name from the API as one component of a path. */
export function requireName(name: string): string {
  if (!/^[A-Za-z0-9]([A-Za-z0-9._-]*)$/.test(name) || name.includes('..'))
    throw new Error(`not a safe name: ${name}`);
  return name;
}
