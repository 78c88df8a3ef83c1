/**
 * What this node cannot honour. Pure. A pod that asks for it waits with a message that names the field, it is never run
 * as if the field were not there. The list is part of docs/compatibility.md; `test/podspec.test.ts` compares the two.
 */
import type { Container, Pod } from '../../src/api/types.js';
import type { RuntimeFeatures } from '../runtime/runtime.js';
import { containerField } from './names.js';

type Check = readonly [isAsked: boolean, field: string];

const asked = (checks: readonly Check[]): string[] =>
  checks.flatMap(([isAsked, field]) => (isAsked ? [field] : []));

/** Of the pod as a whole: its sandbox is not made. */
export function unsupportedInPod({ spec }: Pod, features: RuntimeFeatures): string[] {
  const security = spec?.securityContext;
  return asked([
    [spec?.hostUsers === false && !features.userNamespaces, 'spec.hostUsers'],
    [(spec?.resourceClaims ?? []).length > 0, 'spec.resourceClaims'],
    [(spec?.resources?.claims ?? []).length > 0, 'spec.resources.claims'],
    [spec?.os?.name === 'windows', 'spec.os.name'],
    [security?.windowsOptions !== undefined, 'spec.securityContext.windowsOptions'],
    [
      security?.supplementalGroupsPolicy === 'Strict' && !features.strictSupplementalGroups,
      'spec.securityContext.supplementalGroupsPolicy',
    ],
  ]);
}

/** Of one container: it waits, the others run. */
export function unsupportedInContainer(pod: Pod, spec: Container, features: RuntimeFeatures): string[] {
  const needsRecursion = (spec.volumeMounts ?? []).some((mount) => mount.recursiveReadOnly === 'Enabled');
  return asked([
    [(spec.resources?.claims ?? []).length > 0, 'resources.claims'],
    [needsRecursion && !features.recursiveReadOnly, 'volumeMounts.recursiveReadOnly'],
    [spec.securityContext?.windowsOptions !== undefined, 'securityContext.windowsOptions'],
  ]).map((field) => containerField(pod, spec.name, field));
}
