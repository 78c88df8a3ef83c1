/**
 * 2. Which updates of a pod are looked at again: those that change what a check looks at. Pure. Everything else is let
 * through, or a pod of before the level was raised could not even be finalized.
 */
import type { Pod } from '../../../../src/api/types.js';
import { containerSeccompAnnotation, podSeccompAnnotation } from './seccomp.js';
import type { AnyContainer } from './subject.js';

export function mattersToSecurity(pod: Pod, old: Pod): boolean {
  const annotation = (of: Pod, key: string): string | undefined => of.metadata.annotations?.[key];
  const hasChanged = (key: string): boolean => annotation(pod, key) !== annotation(old, key);
  const differs = (now: readonly AnyContainer[] = [], before: readonly AnyContainer[] = []): boolean =>
    now.length !== before.length ||
    now.some((container) => {
      const was = before.find(({ name }) => name === container.name);
      return !was || was.image !== container.image || hasChanged(containerSeccompAnnotation + container.name);
    });
  return (
    hasChanged(podSeccompAnnotation) ||
    differs(pod.spec?.containers, old.spec?.containers) ||
    differs(pod.spec?.initContainers, old.spec?.initContainers) ||
    differs(pod.spec?.ephemeralContainers, old.spec?.ephemeralContainers)
  );
}
