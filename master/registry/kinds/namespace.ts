/**
 * The strategy of Namespaces. `spec.finalizers` holds one that is being deleted until the namespace controller has
 * removed what is in it and says so through `finalize`. Pure.
 */
import { dnsLabelErrors, labelKeyErrors } from '../../../src/api/names.js';
import type { Namespace } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { allInvalid } from '../validation/field.js';

/** Never go: the control plane needs them. */
const immortal = ['default', 'kube-system', 'kube-public'];

const ownFinalizer = 'kubernetes';

export const namespaceStrategy: Strategy<Namespace> = {
  generation: false,
  validateName: (name) => dnsLabelErrors(name),
  prepareForCreate: (_context, namespace) => {
    const finalizers = namespace.spec?.finalizers ?? [];
    return {
      ...namespace,
      spec: { finalizers: finalizers.includes(ownFinalizer) ? finalizers : [...finalizers, ownFinalizer] },
      status: { phase: 'Active' },
    };
  },
  prepareForUpdate: (_context, namespace, old) => ({ ...namespace, spec: old.spec, status: old.status }),
  prepareForSubresourceUpdate: (subresource, _context, namespace, old) =>
    subresource === 'finalize'
      ? { ...old, spec: { finalizers: namespace.spec?.finalizers ?? [] } }
      : undefined,
  validate: ({ spec }) =>
    (spec?.finalizers ?? []).flatMap((name) => allInvalid('spec.finalizers', name, labelKeyErrors(name))),
  forbidDelete: ({ metadata }) =>
    immortal.includes(metadata.name ?? '') ? 'this namespace may not be deleted' : undefined,
  prepareForDelete: (_context, namespace) => ({
    ...namespace,
    status: { ...namespace.status, phase: 'Terminating' },
  }),
  hasOwnFinalizers: ({ spec }) => (spec?.finalizers ?? []).length > 0,
  fields: ({ status }) => ({ 'status.phase': status?.phase ?? '' }),
};
