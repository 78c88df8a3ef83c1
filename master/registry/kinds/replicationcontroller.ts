/** The strategy of ReplicationControllers. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import type { ReplicationController, ReplicationControllerSpec } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { invalidValue, nonNegative, required } from '../validation/field.js';
import { podTemplateWarnings } from './podwarnings.js';
import { validateReplicaStatus } from './replicaset.js';
import { nameWarnings, validateLongRunning, validatePodTemplate } from './template.js';

export const replicationControllerStrategy: Strategy<ReplicationController> = {
  orphansByDefault: true,
  prepareForCreate: (_context, controller) => ({ ...controller, status: { replicas: 0 } }),
  prepareForUpdate: (_context, controller, old) => ({ ...controller, status: old.status }),
  validate: ({ spec }) => validateSpec(spec ?? {}),
  validateStatusUpdate: ({ status }) => validateReplicaStatus(status ?? { replicas: 0 }),
  warnings: ({ metadata, spec }, old) => {
    if (old && old.metadata.generation === metadata.generation) return [];
    return [...(old ? [] : nameWarnings(metadata)), ...podTemplateWarnings('spec.template', spec?.template)];
  },
  fields: ({ status }) => ({ 'status.replicas': String(status?.replicas ?? 0) }),
};

function validateSpec({
  replicas,
  minReadySeconds,
  selector = {},
  template,
}: ReplicationControllerSpec): FieldError[] {
  const errors = nonNegative('spec.minReadySeconds', minReadySeconds);
  const hasSelector = Object.keys(selector).length > 0;
  if (!hasSelector) errors.push(required('spec.selector'));
  errors.push(...nonNegative('spec.replicas', replicas));
  if (!template) return [...errors, required('spec.template')];
  const { labels } = template.metadata ?? {};
  // Compared, not parsed: a selector that no label can match is wrong in this way too.
  if (hasSelector && Object.entries(selector).some(([key, value]) => labels?.[key] !== value)) {
    const detail = '`selector` does not match template `labels`';
    errors.push(invalidValue('spec.template.metadata.labels', labels ?? {}, detail));
  }
  return [
    ...errors,
    ...validatePodTemplate('spec.template', template),
    ...validateLongRunning('spec.template', template, 'ReplicationController'),
  ];
}
