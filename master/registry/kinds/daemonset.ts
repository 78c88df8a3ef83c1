/** The strategy of DaemonSets. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import type { DaemonSet, DaemonSetStatus, DaemonSetUpdateStrategy } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { invalidValue, nonNegative, notSupported, required } from '../validation/field.js';
import { isZero, validateAtMostAll, validateShare } from './share.js';
import {
  matchesTemplate,
  templatedWarnings,
  validateLongRunning,
  validatePodTemplate,
  validateSelector,
  validateSelectorUpdate,
} from './template.js';

const noStatus: DaemonSetStatus = {
  currentNumberScheduled: 0,
  numberMisscheduled: 0,
  desiredNumberScheduled: 0,
  numberReady: 0,
};

export const daemonSetStrategy: Strategy<DaemonSet> = {
  prepareForCreate: (_context, set) => ({ ...set, status: noStatus }),
  prepareForUpdate: (_context, set, old) => ({ ...set, status: old.status }),
  validate: ({ spec }) => {
    if (!spec) return [required('spec.selector')];
    const { selector, template, updateStrategy = {} } = spec;
    return [
      ...validateSelector(selector, 'daemonset'),
      ...matchesTemplate(selector, template),
      ...validatePodTemplate('spec.template', template),
      ...validateLongRunning('spec.template', template, 'DaemonSet'),
      ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
      ...validateUpdateStrategy(updateStrategy),
      ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ];
  },
  validateUpdate: ({ spec }, old) => validateSelectorUpdate(spec, old.spec),
  validateStatusUpdate: ({ status }, old) => validateStatus(status ?? noStatus, old.status ?? noStatus),
  warnings: templatedWarnings,
};

/** One of the two numbers says how the update goes; the other is 0. */
function validateUpdateStrategy(strategy: DaemonSetUpdateStrategy): FieldError[] {
  const { type, rollingUpdate } = strategy;
  if (type === 'OnDelete') return [];
  if (type !== 'RollingUpdate')
    return [notSupported('spec.updateStrategy', strategy, ['RollingUpdate', 'OnDelete'])];
  const path = 'spec.updateStrategy.rollingUpdate';
  if (!rollingUpdate) return [required(path)];
  const { maxUnavailable = 1, maxSurge = 0 } = rollingUpdate;
  const errors = [
    ...validateShare(`${path}.maxUnavailable`, maxUnavailable),
    ...validateShare(`${path}.maxSurge`, maxSurge),
    ...validateAtMostAll(`${path}.maxUnavailable`, maxUnavailable),
    ...validateAtMostAll(`${path}.maxSurge`, maxSurge),
  ];
  if (!isZero(maxUnavailable) && !isZero(maxSurge)) {
    const detail = 'may not be set when maxUnavailable is non-zero';
    errors.push(invalidValue(`${path}.maxSurge`, maxSurge, detail));
  }
  if (isZero(maxUnavailable) && isZero(maxSurge))
    errors.push(required(`${path}.maxUnavailable`, 'cannot be 0 when maxSurge is 0'));
  return errors;
}

const counts = [
  'currentNumberScheduled',
  'numberMisscheduled',
  'desiredNumberScheduled',
  'numberReady',
  'observedGeneration',
  'updatedNumberScheduled',
  'numberAvailable',
  'numberUnavailable',
  'collisionCount',
] as const;

function validateStatus(status: DaemonSetStatus, old: DaemonSetStatus): FieldError[] {
  const errors = counts.flatMap((name) => nonNegative(`status.${name}`, status[name]));
  const { collisionCount = 0 } = status;
  return collisionCount < (old.collisionCount ?? 0)
    ? [...errors, invalidValue('status.collisionCount', collisionCount, 'cannot be decremented')]
    : errors;
}
