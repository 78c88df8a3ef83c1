/**
 * 8. Mounts of a container in Docker's words. Pure. Called by docker-spec.ts.
 *
 * Docker has two forms. `Binds` makes a missing host path a directory; read-only then means, from Docker 25 on, also
 * what is mounted below it. Kubernetes' read-only does not, so where the API can say it (1.44) `Mounts` does.
 */
import type { HostConfig, MountConfig } from 'dockerode';
import type { ApiVersion } from './docker-version.js';
import type { Mount } from './runtime.js';

/** What dockerode's types do not know yet of a mount. */
interface NewerMount {
  Type: 'bind' | 'image';
  Source: string;
  Target: string;
  ReadOnly: boolean;
  BindOptions?: {
    Propagation?: string;
    CreateMountpoint: true;
    ReadOnlyNonRecursive?: true;
    ReadOnlyForceRecursive?: true;
  };
  ImageOptions?: { Subpath: string };
}

export function mountsOf(
  mounts: readonly Mount[],
  api: Pick<ApiVersion, 'recursiveReadOnly'>,
): Pick<HostConfig, 'Binds' | 'Mounts'> {
  const isNewer = (mount: Mount): boolean =>
    mount.image !== undefined || (mount.readOnly && api.recursiveReadOnly);
  const sourceOf = imageSources();
  const newer = mounts
    .filter(isNewer)
    .map((mount) => (mount.image === undefined ? bindMount(mount) : image(mount, sourceOf(mount.image))));
  return {
    Binds: mounts.filter((mount) => !isNewer(mount)).map(bind),
    ...(newer.length > 0 && { Mounts: newer as MountConfig }),
  };
}

/**
 * Private is Docker's own default, and not named: for what holds its own directory (the host's root) it then takes
 * rslave, which it must be.
 */
const named = ({ propagation = 'private' }: Mount): string | undefined =>
  propagation === 'private' ? undefined : propagation;

/** `host:container:ro,rslave` */
function bind(mount: Mount): string {
  const options = [mount.readOnly ? 'ro' : 'rw', named(mount)].filter((option) => option !== undefined);
  return `${mount.hostPath}:${mount.containerPath}:${options.join(',')}`;
}

function bindMount(mount: Mount): NewerMount {
  const propagation = named(mount);
  return {
    Type: 'bind',
    Source: mount.hostPath,
    Target: mount.containerPath,
    ReadOnly: mount.readOnly,
    BindOptions: {
      ...(propagation !== undefined && { Propagation: propagation }),
      CreateMountpoint: true,
      ...(mount.recursiveReadOnly ? { ReadOnlyForceRecursive: true } : { ReadOnlyNonRecursive: true }),
    },
  };
}

const image = (mount: Mount, source: string): NewerMount => ({
  Type: 'image',
  Source: source,
  Target: mount.containerPath,
  ReadOnly: true,
  ...(mount.imageSubPath && { ImageOptions: { Subpath: mount.imageSubPath } }),
});

/**
 * Docker 28 names what it mounts after the text of the source, and refuses the same image a second time in one
 * container. Ids may be shortened, so each further mount of an id leaves one more of its digits out.
 */
function imageSources(): (reference: string) => string {
  const uses = new Map<string, number>();
  return (reference) => {
    const used = uses.get(reference) ?? 0;
    uses.set(reference, used + 1);
    return /^(sha256:)?[0-9a-f]{64}$/.test(reference)
      ? reference.slice(0, reference.length - used)
      : reference;
  };
}
