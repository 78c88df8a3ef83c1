/** 2. The checks of both levels about seccomp: by annotation before v1.19, by field since. Pure. */
import type { Violation } from './checks.js';
import {
  containersOf,
  counted,
  namesWhere,
  type PodLike,
  plural,
  quoted,
  setters,
  sorted,
} from './subject.js';

export const podSeccompAnnotation = 'seccomp.security.alpha.kubernetes.io/pod';
export const containerSeccompAnnotation = 'container.seccomp.security.alpha.kubernetes.io/';

const isAllowed = (type: string): boolean => type === 'RuntimeDefault' || type === 'Localhost';

export function seccompBaselineByAnnotation(pod: PodLike): Violation | undefined {
  const { annotations = {} } = pod.metadata ?? {};
  const keys = [
    podSeccompAnnotation,
    ...namesWhere(pod, () => true).map((name) => containerSeccompAnnotation + name),
  ];
  const bad = keys.flatMap((key) => {
    const value = annotations[key];
    const isFine = value === undefined || /^(runtime\/default|docker\/default|localhost\/.*)$/s.test(value);
    return isFine ? [] : `${key}=${JSON.stringify(value)}`;
  });
  if (bad.length === 0) return undefined;
  return {
    reason: 'seccompProfile',
    detail: `forbidden ${plural('annotation', bad)} ${sorted(bad).join(', ')}`,
  };
}

export function seccompBaseline(pod: PodLike): Violation | undefined {
  const ofPod = pod.spec.securityContext?.seccompProfile?.type;
  const bad = containersOf(pod).filter(
    ({ securityContext }) => !isAllowed(securityContext?.seccompProfile?.type ?? 'RuntimeDefault'),
  );
  const isPodBad = ofPod !== undefined && !isAllowed(ofPod);
  if (!isPodBad && bad.length === 0) return undefined;
  const types = bad.flatMap(({ securityContext }) => securityContext?.seccompProfile?.type ?? []);
  const who = setters(
    isPodBad,
    bad.map(({ name }) => name),
  );
  const values = quoted(sorted(isPodBad ? [ofPod, ...types] : types));
  return {
    reason: 'seccompProfile',
    detail: `${who} must not set securityContext.seccompProfile.type to ${values}`,
  };
}

/** Every container has one, its own or that of the pod. */
export function seccompRestricted(pod: PodLike): Violation | undefined {
  const wrong = seccompBaseline(pod);
  if (wrong || pod.spec.securityContext?.seccompProfile) return wrong;
  const names = namesWhere(pod, ({ securityContext }) => !securityContext?.seccompProfile);
  if (names.length === 0) return undefined;
  const who = `pod or ${counted('container', names)}`;
  return {
    reason: 'seccompProfile',
    detail: `${who} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
  };
}
