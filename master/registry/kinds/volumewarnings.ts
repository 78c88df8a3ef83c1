/**
 * Warnings of files that one volume puts in the same place, in the words of kube-apiserver. Pure.
 */
import type { Volume, VolumeProjection } from '../../../src/api/types.js';

/** Warnings are given besides errors: what is required may be missing. */
type Mapped = readonly { path?: string }[] | undefined;

const pathsOf = (items: Mapped): string[] => (items ?? []).map(({ path = '' }) => path);

export function overlapWarnings(volumes: readonly Volume[]): string[] {
  return volumes.flatMap((volume) => {
    const name = `volume ${JSON.stringify(volume.name)}`;
    const { configMap, secret, downwardAPI, projected } = volume;
    return [
      ...overlaps(pathsOf(configMap?.items), `${name} (ConfigMap ${JSON.stringify(configMap?.name ?? '')})`),
      ...overlaps(pathsOf(secret?.items), `${name} (Secret ${JSON.stringify(secret?.secretName ?? '')})`),
      ...overlaps(pathsOf(downwardAPI?.items), `${name} (DownwardAPI)`),
      ...projectedOverlaps(projected?.sources ?? [], name),
    ];
  });
}

/** Within a source, and of a source with those before it. */
function projectedOverlaps(sources: readonly VolumeProjection[], name: string): string[] {
  const before = new Set<string>();
  return sources.flatMap((source) => {
    const { paths, title } = projectionOf(source);
    if (title === undefined) return [`${name} (Projected) has no sources provided`];
    const words = `${name} (Projected ${title})`;
    const others = [...new Set(paths), ...before].sort();
    for (const path of paths) before.add(path);
    return [...new Set([...overlaps(paths, words), ...overlaps(others, words)])];
  });
}

function projectionOf(source: VolumeProjection): { paths: string[]; title: string | undefined } {
  const { configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle } = source;
  if (configMap)
    return { paths: pathsOf(configMap.items), title: `ConfigMap ${JSON.stringify(configMap.name ?? '')}` };
  if (secret) return { paths: pathsOf(secret.items), title: `Secret ${JSON.stringify(secret.name ?? '')}` };
  if (downwardAPI) return { paths: pathsOf(downwardAPI.items), title: 'DownwardAPI' };
  if (serviceAccountToken) return { paths: pathsOf([serviceAccountToken]), title: 'ServiceAccountToken' };
  if (clusterTrustBundle) {
    const { name, signerName } = clusterTrustBundle;
    return {
      paths: pathsOf([clusterTrustBundle]),
      title: `ClusterTrustBundle ${JSON.stringify(name ?? signerName ?? '')}`,
    };
  }
  return {
    paths: [],
    title: Object.values(source).some((one) => one !== undefined) ? 'PodCertificate' : undefined,
  };
}

function overlaps(paths: readonly string[], words: string): string[] {
  const seen = new Set<string>();
  return paths.flatMap((given) => {
    const path = given.replace(/\/+$/, '');
    const other = [...seen].find((one) => one === path || isInside(one, path) || isInside(path, one));
    seen.add(path);
    return other === undefined || path === ''
      ? []
      : [`${words}: overlapping paths: ${JSON.stringify(path)} with ${JSON.stringify(other)}`];
  });
}

const isInside = (path: string, folder: string): boolean => path.startsWith(`${folder}/`);
