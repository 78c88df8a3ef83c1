/**
 * What LimitRanges give to containers that say nothing: `default` and `defaultRequest` of their items of type Container.
 * Pure; never changes its argument. Init containers and sidecars get them like all others; a pod as a whole does not.
 */
import type { Container, LimitRange, Pod } from '../../../../src/api/types.js';
import type { Amounts } from '../quota/amounts.js';

const annotation = 'kubernetes.io/limit-ranger';

/** The same pod when nothing is missing; else a copy, with an annotation that says what was set. */
export function withDefaults(pod: Pod, ranges: readonly LimitRange[]): Pod {
  if (!pod.spec) return pod;
  const items = ranges.flatMap(({ spec }) => (spec?.limits ?? []).filter(({ type }) => type === 'Container'));
  const requests = firstOf(items.map((item) => item.defaultRequest));
  const limits = firstOf(items.map((item) => item.default));
  const notes: string[] = [];
  /** The list with what it lacks, which is noted. */
  function filled(given: Amounts | undefined, defaults: Amounts, note: string): Amounts | undefined {
    const names = Object.keys(defaults).filter((name) => given?.[name] === undefined);
    if (names.length === 0) return given;
    notes.push(`${names.sort().join(', ')} ${note}`);
    return { ...defaults, ...given };
  }
  const fill =
    (what: string) =>
    (container: Container): Container => {
      const given = container.resources ?? {};
      const wanted = {
        requests: filled(given.requests, requests, `request for ${what} ${container.name}`),
        limits: filled(given.limits, limits, `limit for ${what} ${container.name}`),
      };
      const isSame = wanted.requests === given.requests && wanted.limits === given.limits;
      return isSame ? container : { ...container, resources: { ...given, ...wanted } };
    };
  const containers = pod.spec.containers.map(fill('container'));
  const initContainers = pod.spec.initContainers?.map(fill('init container'));
  if (notes.length === 0) return pod;
  const annotations = {
    ...pod.metadata.annotations,
    [annotation]: `LimitRanger plugin set: ${notes.join('; ')}`,
  };
  return {
    ...pod,
    metadata: { ...pod.metadata, annotations },
    spec: { ...pod.spec, containers, ...(initContainers && { initContainers }) },
  };
}

/** Of several ranges the first that names a resource decides. */
const firstOf = (lists: readonly (Amounts | undefined)[]): Amounts =>
  Object.assign({}, ...lists.toReversed()) as Amounts;
