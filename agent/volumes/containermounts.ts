/**
 * From a placed volume to the mount of one container: sub-paths, propagation, read-only. Called by `volumes.ts`.
 *
 * A sub-path is bound to a place of the agent's own, from the descriptor that the walk ended at, and that is what the
 * runtime mounts: what containers do to the volume meanwhile changes nothing any more. Errors about sub-paths do not
 * tell what is on the host.
 */
import { mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Container, VolumeMount } from '../../src/api/types.js';
import { expand } from '../pods/environment.js';
import { ConfigError } from '../pods/needs.js';
import type { Mount, RuntimeFeatures } from '../runtime/runtime.js';
import type { Mounter } from './mounts.js';
import type { Placement } from './placement.js';
import { openSubPath } from './subpath.js';

export interface MountOfContainer {
  spec: Container;
  mount: VolumeMount;
  placement: Placement;
  env: ReadonlyMap<string, string>;
  /** Where a sub-path is bound. */
  target: string;
}

export interface ContainerMounts {
  /** Rejects with `ConfigError` for what cannot be. */
  mountOf(request: MountOfContainer): Promise<Mount>;
}

export const isMountable = (placement: Placement | undefined): placement is Placement =>
  placement !== undefined && placement.isDevice !== true;

export function createContainerMounts(options: {
  mounter: Mounter;
  features(): Promise<RuntimeFeatures>;
}): ContainerMounts {
  const { mounter } = options;

  async function bindSubPath(root: Placement, subPath: string, target: string): Promise<string> {
    if (root.isRemote) await mounter.requireAnswer(root.hostPath);
    const handle = await openSubPath(root.hostPath, subPath);
    try {
      const found = await handle.stat();
      // What an earlier container had may be of another kind; it is empty but for the mount.
      await mounter.unmountBelow(target);
      await rm(target, { recursive: true, force: true });
      await mkdir(dirname(target), { recursive: true, mode: 0o750 });
      if (found.isDirectory()) await mkdir(target, { mode: 0o750 });
      else await (await open(target, 'wx', 0o640)).close();
      await mounter.bindDescriptor(handle.fd, target);
      const bound = await stat(target);
      if (bound.dev !== found.dev || bound.ino !== found.ino)
        throw new Error(`${target} does not show what was opened`);
      return target;
    } finally {
      await handle.close();
    }
  }

  async function pathOf({ spec, mount, placement, env, target }: MountOfContainer): Promise<string> {
    const subPath = subPathOf(mount, env);
    if (!subPath) return placement.hostPath;
    try {
      return await bindSubPath(placement, subPath, target);
    } catch (error) {
      throw new ConfigError(
        `failed to prepare subPath for volumeMount "${mount.name}" of container "${spec.name}"`,
        { cause: error },
      );
    }
  }

  return {
    async mountOf(request) {
      const { spec, mount, placement } = request;
      const { mountPath, mountPropagation: propagation } = mount;
      if (propagation === 'Bidirectional' && !spec.securityContext?.privileged)
        throw new ConfigError('Bidirectional mount propagation is available only to privileged containers');
      const readOnly = mount.readOnly === true || placement.readOnly;
      const isDeep = await isReadOnlyThroughout(
        mount,
        async () => (await options.features()).recursiveReadOnly,
      );
      const imageSubPath = placement.image === undefined ? undefined : subPathOf(mount, request.env);
      return {
        hostPath: placement.image === undefined ? await pathOf(request) : '',
        containerPath: mountPath.startsWith('/') ? mountPath : `/${mountPath}`,
        readOnly,
        propagation: propagationOf(propagation),
        ...(isDeep && { recursiveReadOnly: true }),
        ...(placement.image !== undefined && { image: placement.image }),
        ...(imageSubPath && { imageSubPath }),
      };
    },
  };
}

/** Every variable of a `subPathExpr` has to have a value: a hole in a path leads somewhere else. Pure. */
export function subPathOf(mount: VolumeMount, env: ReadonlyMap<string, string>): string | undefined {
  const { subPath, subPathExpr } = mount;
  if (!subPathExpr) {
    checkSubPath(subPath);
    return subPath;
  }
  const missing = [...subPathExpr.matchAll(/\$\$|\$\(([^()]*)\)/g)].flatMap(([, name]) =>
    name !== undefined && !env.get(name) ? [name] : [],
  );
  if (missing.length > 0)
    throw new ConfigError(`missing value for ${[...new Set(missing)].sort().join(', ')}`);
  const expanded = expand(subPathExpr, env);
  checkSubPath(expanded);
  return expanded;
}

function checkSubPath(subPath = ''): void {
  if (subPath.startsWith('/'))
    throw new ConfigError(`error SubPath \`${subPath}\` must not be an absolute path`);
  if (subPath.split('/').includes('..'))
    throw new ConfigError(`unable to provision SubPath \`${subPath}\`: must not contain '..'`);
  if (subPath.includes('\0')) throw new ConfigError('unable to provision SubPath: it contains a NUL');
}

async function isReadOnlyThroughout(
  { name, readOnly, recursiveReadOnly = 'Disabled', mountPropagation = 'None' }: VolumeMount,
  isSupported: () => Promise<boolean>,
): Promise<boolean> {
  if (recursiveReadOnly === 'Disabled') return false;
  const refuse = (why: string): never => {
    throw new ConfigError(`volume "${name}" requested recursive read-only mode, but it is not ${why}`);
  };
  if (!readOnly) return refuse('read-only');
  if (mountPropagation !== 'None') return refuse(`compatible with mount propagation "${mountPropagation}"`);
  if (await isSupported()) return true;
  return recursiveReadOnly === 'IfPossible' ? false : refuse('supported by the runtime');
}

function propagationOf(propagation: string | undefined): 'private' | 'rslave' | 'rshared' {
  if (propagation === 'Bidirectional') return 'rshared';
  return propagation === 'HostToContainer' ? 'rslave' : 'private';
}
