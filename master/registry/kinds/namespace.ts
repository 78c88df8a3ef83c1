/**
 * The strategy of Namespaces. `spec.finalizers` holds one that is being deleted until the namespace controller has
 * removed what is in it and says so through `finalize`. Pure.
 */
import { dnsLabelErrors, labelKeyErrors } from '../../../src/api/names.js';
import type { Namespace } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { allInvalid, invalidValue } from '../validation/field.js';

/** Never go: the control plane needs them. */
const immortal = ['default', 'kube-system', 'kube-public'];

const ownFinalizer = 'kubernetes';
const standardFinalizers = [ownFinalizer, 'orphan', 'foregroundDeletion'];

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
    (spec?.finalizers ?? []).flatMap((name) => {
      const errors = allInvalid('spec.finalizers', name, labelKeyErrors(name));
      if (errors.length > 0 || name.includes('/') || standardFinalizers.includes(name)) return errors;
      const detail = 'name is neither a standard finalizer name nor is it fully qualified';
      return [invalidValue('spec.finalizers', name, detail)];
    }),
  validateStatusUpdate: ({ metadata, status }) => {
    const phase = status?.phase ?? '';
    const [wanted, state] = metadata.deletionTimestamp ? ['Terminating', 'not empty'] : ['Active', 'empty'];
    const detail = `may only be '${wanted}' if \`deletionTimestamp\` is ${state}`;
    return phase === wanted ? [] : [invalidValue('status.Phase', phase, detail)];
  },
  forbidDelete: ({ metadata }) =>
    immortal.includes(metadata.name ?? '') ? 'this namespace may not be deleted' : undefined,
  prepareForDelete: (_context, namespace) => ({
    ...namespace,
    status: { ...namespace.status, phase: 'Terminating' },
  }),
  hasOwnFinalizers: ({ spec }) => (spec?.finalizers ?? []).length > 0,
  fields: ({ metadata, status }) => ({ name: metadata.name ?? '', 'status.phase': status?.phase ?? '' }),
};
