/**
 * 8. What a Docker daemon can, from what it says of itself. Pure. Called by docker.ts.
 */
import type { ApiVersion } from './docker-version.js';
import type { RuntimeFeatures } from './runtime.js';

/** `/info`, as far as it matters here. */
export interface DockerInfo {
  CgroupDriver: string;
  DockerRootDir: string;
  KernelVersion: string;
  SecurityOptions: readonly string[] | null;
  Runtimes: Readonly<Record<string, unknown>> | null;
}

/** From this kernel on a mount can be made read-only with all that is below it. */
const kernelOfRecursion = [5, 12] as const;

export function featuresOf(info: DockerInfo, api: ApiVersion): RuntimeFeatures {
  const has = (option: string): boolean =>
    (info.SecurityOptions ?? []).some((text) => text.startsWith(`name=${option}`));
  return {
    imageVolumes: api.imageMounts,
    recursiveReadOnly: api.recursiveReadOnly && isKernel(info.KernelVersion, kernelOfRecursion),
    // A setting of the whole daemon, not of a pod.
    userNamespaces: false,
    // Docker always adds the groups of the image's own /etc/group.
    strictSupplementalGroups: false,
    runtimeHandlers: Object.keys(info.Runtimes ?? {}),
    seccomp: has('seccomp'),
    appArmor: has('apparmor'),
  };
}

/** `text` is what uname says: `6.1.0-18-amd64`. */
function isKernel(text: string, [major, minor]: readonly [number, number]): boolean {
  const [ours = 0, oursMinor = 0] = text.split('.').map(Number.parseFloat);
  return ours > major || (ours === major && oursMinor >= minor);
}
