/** Which objects a quota is about: its scopes and its scope selector, all of which must hold. Pure. */
import { qosClassOf } from '../../../../src/api/qos.js';
import type {
  PersistentVolumeClaim,
  Pod,
  PodAffinityTerm,
  ResourceQuotaSpec,
  ScopedResourceSelectorRequirement,
} from '../../../../src/api/types.js';

export type Requirement = ScopedResourceSelectorRequirement;

export const requirementsOf = (spec: ResourceQuotaSpec | undefined): readonly Requirement[] => [
  ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' })),
  ...(spec?.scopeSelector?.matchExpressions ?? []),
];

export function isPodInScope(pod: Pod, requirement: Requirement): boolean {
  const { spec } = pod;
  switch (requirement.scopeName) {
    case 'Terminating':
      return isTerminating(pod);
    case 'NotTerminating':
      return !isTerminating(pod);
    case 'BestEffort':
      return qosClassOf(spec) === 'BestEffort';
    case 'NotBestEffort':
      return qosClassOf(spec) !== 'BestEffort';
    case 'PriorityClass':
      return matchesAny(requirement, spec?.priorityClassName ? [spec.priorityClassName] : []);
    case 'CrossNamespacePodAffinity':
      return termsOf(pod).some(
        ({ namespaces, namespaceSelector }) =>
          (namespaces?.length ?? 0) > 0 || namespaceSelector !== undefined,
      );
    default:
      return false;
  }
}

/** By any of the classes that the claim has, is getting or asks for. */
export function isClaimInScope({ spec, status }: PersistentVolumeClaim, requirement: Requirement): boolean {
  if (requirement.scopeName !== 'VolumeAttributesClass') return false;
  const names = [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  return matchesAny(requirement, names.filter(Boolean) as string[]);
}

/** It ends by itself. */
const isTerminating = ({ spec }: Pod): boolean => (spec?.activeDeadlineSeconds ?? -1) >= 0;

function termsOf({ spec }: Pod): PodAffinityTerm[] {
  return [spec?.affinity?.podAffinity, spec?.affinity?.podAntiAffinity].flatMap((affinity) => [
    ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
      ({ podAffinityTerm }) => podAffinityTerm,
    ),
  ]);
}

/** As a label selector would match a label that has these values, one at a time. */
function matchesAny({ operator, values = [] }: Requirement, names: readonly string[]): boolean {
  switch (operator) {
    case 'In':
      return names.some((name) => values.includes(name));
    case 'NotIn':
      return names.length === 0 || names.some((name) => !values.includes(name));
    case 'DoesNotExist':
      return names.length === 0;
    default:
      return names.length > 0;
  }
}
