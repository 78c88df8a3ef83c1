/** The strategy of StatefulSets. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import { dns1035LabelErrors, dnsLabelErrors } from '../../../src/api/names.js';
import type {
  PodTemplateSpec,
  StatefulSet,
  StatefulSetSpec,
  StatefulSetStatus,
  StatefulSetUpdateStrategy,
  Volume,
} from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import type { Strategy } from '../strategy.js';
import {
  allInvalid,
  forbiddenField,
  invalidValue,
  nonNegative,
  notSupported,
  required,
} from '../validation/field.js';
import { isZero, validateAtMostAll, validateShare } from './share.js';
import { templatedWarnings, validateSelected } from './template.js';

export const statefulSetStrategy: Strategy<StatefulSet> = {
  prepareForCreate: (_context, set) => ({ ...set, status: { replicas: 0 } }),
  prepareForUpdate: (_context, set, old) => ({ ...set, status: old.status }),
  validateName: (name) => dnsLabelErrors(name),
  validate: ({ spec }) => (spec ? validateSpec(spec) : [required('spec.selector')]),
  validateUpdate: ({ spec }, old) => {
    if (!spec || !old.spec || isSameJson(fixedPart(spec), fixedPart(old.spec))) return [];
    return [forbiddenField('spec', onlyThese)];
  },
  validateStatusUpdate: ({ status }, old) =>
    validateStatus(status ?? { replicas: 0 }, old.status ?? { replicas: 0 }),
  warnings: templatedWarnings,
};

const onlyThese =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', " +
  "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

function fixedPart(spec: StatefulSetSpec): object {
  const {
    replicas: _replicas,
    ordinals: _ordinals,
    template: _template,
    updateStrategy: _strategy,
    revisionHistoryLimit: _limit,
    persistentVolumeClaimRetentionPolicy: _policy,
    minReadySeconds: _seconds,
    ...fixed
  } = spec;
  return fixed;
}

function validateSpec(spec: StatefulSetSpec): FieldError[] {
  const { podManagementPolicy: policy = 'OrderedReady', serviceName, ordinals } = spec;
  return [
    ...(['OrderedReady', 'Parallel'].includes(policy)
      ? []
      : [invalidValue('spec.podManagementPolicy', policy, "must be 'OrderedReady' or 'Parallel'")]),
    ...validateUpdateStrategy(spec.updateStrategy ?? {}),
    ...validateRetention(spec),
    ...nonNegative('spec.replicas', spec.replicas),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...nonNegative('spec.ordinals.start', ordinals?.start),
    ...(serviceName ? allInvalid('spec.serviceName', serviceName, dns1035LabelErrors(serviceName)) : []),
    ...validateSelected(
      { selector: spec.selector, template: withClaims(spec) },
      { selector: 'statefulset', template: 'StatefulSet' },
    ),
  ];
}

/** Its pods have a volume for every claim that is made for them, in the place of one of the same name. */
function withClaims({ template, volumeClaimTemplates = [] }: StatefulSetSpec): PodTemplateSpec {
  if (!template?.spec || volumeClaimTemplates.length === 0) return template;
  const claims = volumeClaimTemplates.map(({ metadata }): Volume => {
    const name = metadata?.name ?? '';
    return { name, persistentVolumeClaim: { claimName: name } };
  });
  const own = (template.spec.volumes ?? []).filter(
    ({ name }) => !claims.some((claim) => claim.name === name),
  );
  return { ...template, spec: { ...template.spec, volumes: [...own, ...claims] } };
}

function validateUpdateStrategy(strategy: StatefulSetUpdateStrategy): FieldError[] {
  const { type, rollingUpdate } = strategy;
  const path = 'spec.updateStrategy.rollingUpdate';
  if (type === 'OnDelete') {
    return rollingUpdate
      ? [invalidValue(path, rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'")]
      : [];
  }
  if (type !== 'RollingUpdate')
    return [invalidValue('spec.updateStrategy', strategy, "must be 'RollingUpdate' or 'OnDelete'")];
  const errors = nonNegative(`${path}.partition`, rollingUpdate?.partition);
  const share = rollingUpdate?.maxUnavailable;
  if (share === undefined) return errors;
  return [
    ...errors,
    ...validateShare(`${path}.maxUnavailable`, share),
    ...(isZero(share) ? [invalidValue(`${path}.maxUnavailable`, share, 'cannot be 0')] : []),
    ...validateAtMostAll(`${path}.maxUnavailable`, share),
  ];
}

function validateRetention({ persistentVolumeClaimRetentionPolicy: policy }: StatefulSetSpec): FieldError[] {
  return (['whenDeleted', 'whenScaled'] as const).flatMap((when) => {
    const value = policy?.[when];
    if (value === undefined || value === 'Retain' || value === 'Delete') return [];
    return [notSupported(`spec.persistentVolumeClaimRetentionPolicy.${when}`, value, ['Retain', 'Delete'])];
  });
}

const counts = [
  'replicas',
  'readyReplicas',
  'currentReplicas',
  'updatedReplicas',
  'availableReplicas',
  'observedGeneration',
  'collisionCount',
] as const;

function validateStatus(status: StatefulSetStatus, old: StatefulSetStatus): FieldError[] {
  const errors = counts.flatMap((name) => nonNegative(`status.${name}`, status[name]));
  const { replicas, readyReplicas = 0, availableReplicas = 0, collisionCount = 0 } = status;
  for (const name of ['readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'] as const) {
    const value = status[name] ?? 0;
    if (value > replicas)
      errors.push(invalidValue(`status.${name}`, value, 'cannot be greater than status.replicas'));
  }
  if (availableReplicas > readyReplicas) {
    const detail = 'cannot be greater than status.readyReplicas';
    errors.push(invalidValue('status.availableReplicas', availableReplicas, detail));
  }
  if (collisionCount < (old.collisionCount ?? 0))
    errors.push(invalidValue('status.collisionCount', collisionCount, 'cannot be decremented'));
  return errors;
}
