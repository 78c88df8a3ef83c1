/** The strategies of kinds with few rules: Lease, ServiceAccount. Pure. */
import type { Lease, ServiceAccount } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { forbiddenField, invalidValue, nonNegative } from '../validation/field.js';

export const leaseStrategy: Strategy<Lease> = {
  generation: false,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  validate: ({ spec }) => {
    const seconds = spec?.leaseDurationSeconds;
    const isBad = seconds !== undefined && seconds <= 0;
    return [
      ...(isBad ? [invalidValue('spec.leaseDurationSeconds', seconds, 'must be greater than 0')] : []),
      ...nonNegative('spec.leaseTransitions', spec?.leaseTransitions),
      ...(spec?.preferredHolder && !spec.strategy
        ? [forbiddenField('spec.preferredHolder', 'may only be specified if `strategy` is defined')]
        : []),
    ];
  },
};

const enforceAnnotation = 'kubernetes.io/enforce-mountable-secrets';

export const serviceAccountStrategy: Strategy<ServiceAccount> = {
  generation: false,
  warnings: ({ metadata }, old) =>
    metadata.annotations?.[enforceAnnotation] !== undefined &&
    old?.metadata.annotations?.[enforceAnnotation] === undefined
      ? [
          `metadata.annotations[${enforceAnnotation}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
        ]
      : [],
};
