/**
 * What may change of a pod that exists: images, the deadline (only shorter), tolerations (only more), scheduling gates
 * (only fewer). Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import type { Container, Pod, PodSpec, Toleration } from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import { forbiddenField, invalidValue, mustNotBeNegative } from '../validation/field.js';
import { validateGatedPlacement, validateGatesUpdate, withOldPlacement } from './podgates.js';

const updatable =
  '`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,' +
  '`spec.tolerations` (only additions to existing tolerations),' +
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

export function validatePodUpdate({ spec }: Pod, { spec: old }: Pod): FieldError[] {
  if (!spec || !old) return [];
  if (spec.containers.length !== old.containers.length) {
    return [forbiddenField('spec.containers', 'pod updates may not add or remove containers')];
  }
  if ((spec.initContainers ?? []).length !== (old.initContainers ?? []).length) {
    return [forbiddenField('spec.initContainers', 'pod updates may not add or remove containers')];
  }
  const errors = [
    ...validateDeadline(spec, old),
    ...validateTolerationsUpdate(spec.tolerations, old.tolerations),
    ...validateGatesUpdate(spec, old),
    ...validateGatedPlacement(spec, old),
  ];
  const changed = differences('spec', munged(spec, old), old);
  if (changed.length > 0) {
    errors.push(
      forbiddenField(
        'spec',
        `pod updates may not change fields other than ${updatable}\n${changed.join('\n')}`,
      ),
    );
  }
  return errors;
}

function validateDeadline(
  { activeDeadlineSeconds: now }: PodSpec,
  { activeDeadlineSeconds: before }: PodSpec,
): FieldError[] {
  const field = 'spec.activeDeadlineSeconds';
  if (now === before || before === undefined) return [];
  if (now === undefined)
    return [invalidValue(field, null, 'must not update from a positive integer to nil value')];
  if (now < 0) return [invalidValue(field, now, mustNotBeNegative)];
  return now > before ? [invalidValue(field, now, 'must be less than or equal to previous value')] : [];
}

/** Every old toleration must still be there; its `tolerationSeconds` may differ. */
function validateTolerationsUpdate(
  now: readonly Toleration[] = [],
  before: readonly Toleration[] = [],
): FieldError[] {
  const bare = ({ tolerationSeconds: _seconds, ...rest }: Toleration): object => rest;
  const isKept = before.every((old) => now.some((one) => isSameJson(bare(one), bare(old))));
  const detail = 'existing toleration can not be modified except its tolerationSeconds';
  return isKept ? [] : [forbiddenField('spec.tolerations', detail)];
}

/** The new spec with everything that may change put back: what still differs may not. */
function munged(spec: PodSpec, old: PodSpec): PodSpec {
  const withOldImages = (now: readonly Container[], before: readonly Container[]): Container[] =>
    now.map((container, index) => ({ ...container, image: before[index]?.image }));
  const mayNormalise =
    (old.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1;
  return {
    ...withOldPlacement(spec, old),
    containers: withOldImages(spec.containers, old.containers),
    initContainers: spec.initContainers && withOldImages(spec.initContainers, old.initContainers ?? []),
    activeDeadlineSeconds: old.activeDeadlineSeconds,
    tolerations: old.tolerations,
    terminationGracePeriodSeconds: mayNormalise
      ? old.terminationGracePeriodSeconds
      : spec.terminationGracePeriodSeconds,
  };
}

/** `- path: old` and `+ path: new` for every leaf that differs. */
export function differences(path: string, now: unknown, before: unknown): string[] {
  if (isSameJson(now, before)) return [];
  if (typeof now === 'object' && typeof before === 'object' && now !== null && before !== null) {
    const [left, right] = [now as Record<string, unknown>, before as Record<string, unknown>];
    const keys = [...new Set([...Object.keys(right), ...Object.keys(left)])];
    const child = (key: string): string => (Array.isArray(now) ? `${path}[${key}]` : `${path}.${key}`);
    return keys.flatMap((key) => differences(child(key), left[key], right[key]));
  }
  const line = (sign: string, value: unknown): string[] =>
    value === undefined ? [] : [`${sign} ${path}: ${JSON.stringify(value)}`];
  return [...line('-', before), ...line('+', now)];
}
