/**
 * 5. Which names of a CustomResourceDefinition are free, and what its conditions say of that. Pure; decides for `crd.ts`.
 */
import { findCondition, withCondition } from '../../src/api/meta.js';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionStatus,
} from '../../src/api/types.js';
import { toTime } from '../../src/host/clock.js';
import { approvalOf, isProtectedGroup } from '../registry/custom/definition.js';

interface Taken {
  /** Plural, singular and short names of the group. */
  resources: ReadonlySet<string>;
  kinds: ReadonlySet<string>;
}

/** What the other definitions of a group were given. */
export function takenNames(others: readonly (CustomResourceDefinitionNames | undefined)[]): Taken {
  const resources = new Set<string>();
  const kinds = new Set<string>();
  for (const names of others) {
    if (!names) continue;
    for (const name of [names.plural, names.singular, ...(names.shortNames ?? [])])
      if (name) resources.add(name);
    for (const name of [names.kind, names.listKind]) if (name) kinds.add(name);
  }
  return { resources, kinds };
}

interface Naming {
  acceptedNames: CustomResourceDefinitionNames;
  conflict: { reason: string; message: string } | undefined;
}

/** Names it was given before stay its own; the last conflict is the one that is told, as in Kubernetes. */
export function acceptNames({ spec, status }: CustomResourceDefinition, taken: Taken): Naming {
  const { names } = spec;
  const before = status?.acceptedNames ?? { plural: '', kind: '' };
  const accepted: CustomResourceDefinitionNames = { ...before };
  let conflict: Naming['conflict'];
  const refuse = (reason: string, used: readonly string[]): void => {
    const texts = used.map((name) => `${JSON.stringify(name)} is already in use`);
    conflict = { reason, message: texts.length > 1 ? `[${texts.join(', ')}]` : texts.join('') };
  };
  const claim = (
    field: 'plural' | 'singular' | 'kind' | 'listKind',
    reason: string,
    used: ReadonlySet<string>,
  ): void => {
    const name = names[field] ?? '';
    if (name !== before[field] && used.has(name)) refuse(reason, [name]);
    else accepted[field] = name;
  };
  claim('plural', 'PluralConflict', taken.resources);
  claim('singular', 'SingularConflict', taken.resources);
  const used = (names.shortNames ?? []).filter(
    (name) => !before.shortNames?.includes(name) && taken.resources.has(name),
  );
  if (used.length > 0) refuse('ShortNamesConflict', used);
  else accepted.shortNames = names.shortNames;
  claim('kind', 'KindConflict', taken.kinds);
  claim('listKind', 'ListKindConflict', taken.kinds);
  accepted.categories = names.categories;
  return { acceptedNames: accepted, conflict };
}

/** The status that says so; a definition that was established stays so. */
export function statusWith(
  definition: CustomResourceDefinition,
  { acceptedNames, conflict }: Naming,
  now: Date,
): CustomResourceDefinitionStatus {
  const { metadata, spec, status } = definition;
  const at = toTime(now);
  let conditions = status?.conditions ?? [];
  const set = (condition: Omit<CustomResourceDefinitionCondition, 'lastTransitionTime'>): void => {
    conditions = withCondition(conditions, { lastTransitionTime: at, ...condition });
  };
  set({
    type: 'NamesAccepted',
    status: conflict ? 'False' : 'True',
    reason: conflict?.reason ?? 'NoConflicts',
    message: conflict?.message ?? 'no conflicts found',
  });
  const established = findCondition(conditions, 'Established')?.status === 'True';
  if (!established) {
    set(
      conflict
        ? {
            type: 'Established',
            status: 'False',
            reason: 'NotAccepted',
            message: 'not all names are accepted',
          }
        : {
            type: 'Established',
            status: 'True',
            reason: 'InitialNamesAccepted',
            message: 'the initial names have been accepted',
          },
    );
  }
  if (isProtectedGroup(spec.group)) {
    const { state, message } = approvalOf(metadata.annotations);
    const reasons = {
      approved: ['True', 'ApprovedAnnotation'],
      bypassed: ['False', 'UnapprovedAnnotation'],
      missing: ['False', 'MissingAnnotation'],
      invalid: ['False', 'InvalidAnnotation'],
    } as const;
    const [value, reason] = reasons[state];
    set({ type: 'KubernetesAPIApprovalPolicyConformant', status: value, reason, message });
  }
  return { ...status, storedVersions: status?.storedVersions ?? [], acceptedNames, conditions };
}
