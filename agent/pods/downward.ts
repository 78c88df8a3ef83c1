/**
 * The downward API: fields of the pod and resources of its containers, as environment variables and files see them.
 * Pure. Throws `ConfigError` for a path that does not exist.
 */
import { isDeepStrictEqual } from 'node:util';
import { toBytes, toMilli } from '../../src/api/quantity.js';
import type { Container, Pod, ResourceFieldSelector } from '../../src/api/types.js';
import { ConfigError } from './needs.js';
import { appContainersOf, initContainersOf } from './observed.js';

export interface FieldFacts {
  ips: readonly string[];
  hostIPs: readonly string[];
  nodeName: string;
}

/** Whether files of the pod show labels or annotations, and those have changed. */
export function showsChange(before: Pod, { metadata, spec }: Pod): boolean {
  const { labels, annotations } = before.metadata;
  const isShown = spec?.volumes?.some(
    ({ downwardAPI, projected }) =>
      downwardAPI !== undefined || projected?.sources?.some((source) => source.downwardAPI !== undefined),
  );
  return (
    isShown === true && !isDeepStrictEqual([labels, annotations], [metadata.labels, metadata.annotations])
  );
}

export function fieldOf(pod: Pod, path: string, facts: FieldFacts): string {
  const { metadata, spec } = pod;
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed) return (keyed[1] === 'labels' ? metadata.labels : metadata.annotations)?.[keyed[2] ?? ''] ?? '';
  switch (path) {
    case 'metadata.name':
      return metadata.name ?? '';
    case 'metadata.namespace':
      return metadata.namespace ?? '';
    case 'metadata.uid':
      return metadata.uid ?? '';
    case 'metadata.labels':
      return formatMap(metadata.labels);
    case 'metadata.annotations':
      return formatMap(metadata.annotations);
    case 'spec.nodeName':
      return spec?.nodeName ?? facts.nodeName;
    case 'spec.serviceAccountName':
      return spec?.serviceAccountName ?? '';
    case 'spec.restartPolicy':
      return spec?.restartPolicy ?? 'Always';
    case 'status.podIP':
      return facts.ips[0] ?? '';
    case 'status.podIPs':
      return facts.ips.join(',');
    case 'status.hostIP':
      return facts.hostIPs[0] ?? '';
    case 'status.hostIPs':
      return facts.hostIPs.join(',');
    default:
      throw new ConfigError(`unsupported fieldPath: ${path}`);
  }
}

/** One `key="value"` line each, sorted by key. */
const formatMap = (map: Record<string, string> = {}): string =>
  Object.keys(map)
    .sort()
    .map((key) => `${key}=${JSON.stringify(map[key])}`)
    .join('\n');

/** A limit that is not set counts as that of the pod, or as what the node has. Values are rounded up to whole divisors. */
export function resourceOf(
  pod: Pod,
  self: Container | undefined,
  selector: ResourceFieldSelector,
  allocatable: Readonly<Record<string, string>>,
): string {
  const { containerName, resource, divisor } = selector;
  const spec = containerName
    ? [...initContainersOf(pod), ...appContainersOf(pod)].find(({ name }) => name === containerName)
    : self;
  if (!spec) throw new ConfigError(`container ${containerName ?? ''} not found`);
  const [kind, ...rest] = resource.split('.');
  const name = rest.join('.');
  if ((kind !== 'limits' && kind !== 'requests') || name === '') {
    throw new ConfigError(`unsupported container resource : ${resource}`);
  }
  const { limits = {}, requests = {} } = spec.resources ?? {};
  const value =
    kind === 'limits'
      ? (limits[name] ?? pod.spec?.resources?.limits?.[name] ?? allocatable[name])
      : (requests[name] ?? limits[name]);
  const step = divisor && divisor !== '0' ? divisor : '1';
  const measure = name === 'cpu' ? toMilli : toBytes;
  return String(Math.ceil(measure(value ?? '0') / Math.max(measure(step), 1)));
}
