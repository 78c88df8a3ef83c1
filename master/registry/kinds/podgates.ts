/**
 * Scheduling gates: a pod waits for all of them to be removed, and may be told meanwhile where it may run. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { labelKeyErrors } from '../../../src/api/names.js';
import type { NodeSelectorTerm, Pod, PodSpec, PodStatus } from '../../../src/api/types.js';
import { toTime } from '../../../src/host/clock.js';
import { isSameJson } from '../codec.js';
import { allInvalid, duplicate, forbiddenField, invalidValue } from '../validation/field.js';

export const isGated = (spec: PodSpec | undefined): boolean => (spec?.schedulingGates ?? []).length > 0;

export function validateGates(field: string, { schedulingGates = [], nodeName }: PodSpec): FieldError[] {
  const names = new Set<string>();
  const errors = schedulingGates.flatMap(({ name = '' }, index) => {
    const path = `${field}.schedulingGates[${index}]`;
    const isTwice = names.has(name);
    names.add(name);
    return [...allInvalid(path, name, labelKeyErrors(name)), ...(isTwice ? [duplicate(path, name)] : [])];
  });
  if (nodeName && schedulingGates.length > 0) {
    const detail = 'cannot be set until all schedulingGates have been cleared';
    errors.push(forbiddenField(`${field}.nodeName`, detail));
  }
  return errors;
}

/** How a pod that waits starts: its condition says so from the beginning. */
export function gatedStatus({ spec }: Pod, now: Date): PodStatus | undefined {
  if (!isGated(spec)) return undefined;
  const condition = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'SchedulingGated',
    message: 'Scheduling is blocked due to non-empty scheduling gates',
    lastTransitionTime: toTime(now),
  };
  return { conditions: [condition] };
}

/** Gates only go away. */
export function validateGatesUpdate(spec: PodSpec, old: PodSpec): FieldError[] {
  const before = new Set((old.schedulingGates ?? []).map(({ name }) => name));
  return (spec.schedulingGates ?? []).flatMap(({ name }) =>
    before.has(name)
      ? []
      : [
          forbiddenField(
            'spec.schedulingGates',
            `only deletion is allowed, but found new scheduling gate '${name}'`,
          ),
        ],
  );
}

/** Of a pod that waits: the nodes it may run on may become fewer, not other ones. */
export function validateGatedPlacement(spec: PodSpec, old: PodSpec): FieldError[] {
  if (!isGated(old)) return [];
  const errors: FieldError[] = [];
  const kept = Object.entries(old.nodeSelector ?? {}).every(
    ([key, value]) => spec.nodeSelector?.[key] === value,
  );
  if (!kept) {
    const detail = 'only additions to spec.nodeSelector are allowed (no mutations or deletions)';
    errors.push(invalidValue('spec.nodeSelector', spec.nodeSelector ?? {}, detail));
  }
  return [...errors, ...validateAffinityUpdate(spec, old)];
}

const hard = 'requiredDuringSchedulingIgnoredDuringExecution';

function validateAffinityUpdate(spec: PodSpec, old: PodSpec): FieldError[] {
  const before = old.affinity?.nodeAffinity?.[hard];
  if (!before) return [];
  const field = `spec.affinity.nodeAffinity.${hard}`;
  const now = spec.affinity?.nodeAffinity?.[hard];
  if (!now) {
    const detail = 'must not be removed';
    return [invalidValue(field, null, detail)];
  }
  if (now.nodeSelectorTerms.length !== before.nodeSelectorTerms.length) {
    const detail = 'no additions/deletions to non-empty NodeSelectorTerms list are allowed';
    return [invalidValue(`${field}.nodeSelectorTerms`, now.nodeSelectorTerms, detail)];
  }
  return before.nodeSelectorTerms.flatMap((term, index) => {
    const next = now.nodeSelectorTerms[index] ?? {};
    return isStricter(next, term)
      ? []
      : [
          invalidValue(
            `${field}.nodeSelectorTerms[${index}]`,
            next,
            'only additions are allowed (no mutations or deletions)',
          ),
        ];
  });
}

/** Requirements of a term all have to be met: more of them allow fewer nodes. An empty term allows none. */
function isStricter(next: NodeSelectorTerm, term: NodeSelectorTerm): boolean {
  const isEmpty = (one: NodeSelectorTerm): boolean =>
    (one.matchExpressions ?? []).length + (one.matchFields ?? []).length === 0;
  if (isEmpty(term)) return isEmpty(next);
  return (['matchExpressions', 'matchFields'] as const).every((part) =>
    (term[part] ?? []).every((requirement, index) => isSameJson(requirement, next[part]?.[index])),
  );
}

/** The new spec with what a pod that waits may change put back. */
export function withOldPlacement(spec: PodSpec, old: PodSpec): PodSpec {
  const { schedulingGates } = old;
  if (!isGated(old)) return { ...spec, schedulingGates };
  const { nodeAffinity: _now, ...others } = spec.affinity ?? {};
  const nodeAffinity = old.affinity?.nodeAffinity;
  const affinity = { ...others, ...(nodeAffinity && { nodeAffinity }) };
  const hasAffinity = old.affinity !== undefined || Object.keys(others).length > 0;
  return {
    ...spec,
    schedulingGates,
    nodeSelector: old.nodeSelector,
    affinity: hasAffinity ? affinity : undefined,
  };
}
