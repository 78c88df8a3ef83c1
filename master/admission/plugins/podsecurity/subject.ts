/** 2. What the checks look at, and how they name what they found, in the words of Kubernetes. Pure. */
import type { Container, EphemeralContainer, ObjectMeta, PodSpec } from '../../../../src/api/types.js';

/** A pod, or what a controller makes pods of. */
export interface PodLike {
  metadata?: ObjectMeta | undefined;
  spec: PodSpec;
}

export type AnyContainer = Container | EphemeralContainer;

/** Of each kind, in the order in which Kubernetes names them. */
export const containersOf = ({ spec }: PodLike): readonly AnyContainer[] => [
  ...(spec.initContainers ?? []),
  ...(spec.containers ?? []),
  ...(spec.ephemeralContainers ?? []),
];

/** Their names, of those to which it applies. */
export const namesWhere = (pod: PodLike, applies: (container: AnyContainer) => boolean): string[] =>
  containersOf(pod)
    .filter(applies)
    .map(({ name }) => name);

export const quoted = (names: readonly string[]): string => `"${names.join('", "')}"`;

export const sorted = (values: Iterable<string>): string[] => [...new Set(values)].sort();

/** `container "a"`, `containers "a", "b"`. */
export const counted = (word: string, names: readonly string[]): string =>
  `${plural(word, names)} ${quoted(names)}`;

export const plural = (word: string, names: readonly unknown[]): string =>
  names.length === 1 ? word : `${word}s`;

/** `pod and container "a"`: who set something; '' when nobody did. */
export const setters = (isPod: boolean, containers: readonly string[]): string =>
  [...(isPod ? ['pod'] : []), ...(containers.length > 0 ? [counted('container', containers)] : [])].join(
    ' and ',
  );
