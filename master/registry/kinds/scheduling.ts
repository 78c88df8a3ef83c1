/** The strategies of PriorityClasses and RuntimeClasses. Pure. Rules, paths and wording as kube-apiserver has them. */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsLabelErrors } from '../../../src/api/names.js';
import type { PriorityClass, RuntimeClass } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import {
  allInvalid,
  duplicate,
  forbiddenField,
  immutable,
  invalidValue,
  oneOf,
} from '../validation/field.js';
import { validateLabels } from '../validation/metadata.js';
import { validateTolerations } from './podspec.js';
import { validateResources } from './quantity.js';

const systemPrefix = 'system-';
const highestUserPriority = 1_000_000_000;

/** The classes that every cluster has, for what it cannot do without. */
export const systemPriorityClasses: readonly PriorityClass[] = [
  {
    metadata: { name: 'system-node-critical' },
    value: 2_000_001_000,
    description: 'Used for system critical pods that must not be moved from their current node.',
  },
  {
    metadata: { name: 'system-cluster-critical' },
    value: 2_000_000_000,
    description:
      'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
  },
];

export const priorityClassStrategy: Strategy<PriorityClass> = {
  /** It has one, which never grows: what would make it grow cannot change. */
  generation: 'spec',
  validate: (priorityClass) => [
    ...validateValue(priorityClass),
    ...oneOf('preemptionPolicy', priorityClass.preemptionPolicy, ['Never', 'PreemptLowerPriority']),
  ],
  validateUpdate: (one, old) => [
    ...((one.value ?? 0) === (old.value ?? 0)
      ? []
      : [forbiddenField('value', 'may not be changed in an update.')]),
    ...(one.preemptionPolicy === old.preemptionPolicy
      ? []
      : [invalidValue('preemptionPolicy', one.preemptionPolicy, immutable)]),
  ],
  forbidDelete: ({ metadata }) =>
    systemPriorityClasses.some((system) => system.metadata.name === metadata.name)
      ? 'this is a system priority class and cannot be deleted'
      : undefined,
};

function validateValue({ metadata, value = 0, globalDefault = false }: PriorityClass): FieldError[] {
  const name = metadata.name ?? '';
  if (!name.startsWith(systemPrefix)) {
    const detail = `maximum allowed value of a user defined priority is ${highestUserPriority}`;
    return value > highestUserPriority ? [forbiddenField('value', detail)] : [];
  }
  const why = systemClassError(name, value, globalDefault);
  const detail = `priority class names with '${systemPrefix}' prefix are reserved for system use only. error: ${why}`;
  return why === undefined ? [] : [forbiddenField('metadata.name', detail)];
}

function systemClassError(name: string, value: number, globalDefault: boolean): string | undefined {
  const system = systemPriorityClasses.find((one) => one.metadata.name === name);
  if (!system) return `${name} is not a known system priority class`;
  if (system.value !== value) return `value of ${name} PriorityClass must be ${system.value}`;
  return globalDefault ? `globalDefault of ${name} PriorityClass must be false` : undefined;
}

export const runtimeClassStrategy: Strategy<RuntimeClass> = {
  generation: false,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  validate: ({ handler = '', overhead, scheduling }) => {
    const seen = new Set<string>();
    return [
      ...allInvalid('handler', handler, dnsLabelErrors(handler)),
      ...(overhead ? validateResources('overhead', { limits: overhead.podFixed }) : []),
      ...validateLabels(scheduling?.nodeSelector, 'scheduling.nodeSelector'),
      ...validateTolerations('scheduling.tolerations', scheduling?.tolerations),
      ...(scheduling?.tolerations ?? []).flatMap((toleration, index) => {
        const { key, operator, value, effect } = toleration;
        const meaning = JSON.stringify([key, operator, value, effect]);
        const isTaken = seen.has(meaning);
        seen.add(meaning);
        return isTaken ? [duplicate(`scheduling.tolerations[${index}]`, toleration)] : [];
      }),
    ];
  },
  validateUpdate: ({ handler }, old) =>
    handler === old.handler ? [] : [invalidValue('handler', handler, immutable)],
};
