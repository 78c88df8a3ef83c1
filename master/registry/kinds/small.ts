/** The strategies of kinds with few rules: Lease, Event, ServiceAccount. Pure. */
import type { Event, Lease, ServiceAccount } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { invalidValue, nonNegative } from '../validation/field.js';

export const leaseStrategy: Strategy<Lease> = {
  generation: false,
  validate: ({ spec }) => {
    const seconds = spec?.leaseDurationSeconds;
    const isBad = seconds !== undefined && seconds <= 0;
    return [
      ...(isBad ? [invalidValue('spec.leaseDurationSeconds', seconds, 'must be greater than 0')] : []),
      ...nonNegative('spec.leaseTransitions', spec?.leaseTransitions),
    ];
  },
};

/** Of a cluster-scoped object they are in `default`. */
export const eventStrategy: Strategy<Event> = {
  generation: false,
  validate: ({ metadata, involvedObject }) => {
    const { namespace = '' } = involvedObject ?? {};
    const fits =
      namespace === metadata.namespace ||
      (namespace === '' && metadata.namespace === 'default') ||
      (namespace === '' && metadata.namespace === 'kube-system');
    return fits
      ? []
      : [invalidValue('involvedObject.namespace', namespace, 'does not match event.namespace')];
  },
  fields: ({ involvedObject: about, reason, source, type, reportingComponent }) => ({
    'involvedObject.kind': about?.kind ?? '',
    'involvedObject.namespace': about?.namespace ?? '',
    'involvedObject.name': about?.name ?? '',
    'involvedObject.uid': about?.uid ?? '',
    'involvedObject.apiVersion': about?.apiVersion ?? '',
    'involvedObject.resourceVersion': about?.resourceVersion ?? '',
    'involvedObject.fieldPath': about?.fieldPath ?? '',
    reason: reason ?? '',
    reportingComponent: reportingComponent ?? '',
    source: source?.component || reportingComponent || '',
    type: type ?? '',
  }),
};

export const serviceAccountStrategy: Strategy<ServiceAccount> = { generation: false };
