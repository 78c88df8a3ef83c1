/**
 * 2. CustomResourceDefinition: its defaults, what of it may change, and the life of its status. Validation is in
 * `../custom/definition.ts`.
 */

import { withCondition } from '../../../src/api/meta.js';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionStatus,
  CustomResourceDefinitionVersion,
} from '../../../src/api/types.js';
import { toTime } from '../../../src/host/clock.js';
import { isSameJson } from '../codec.js';
import { nameErrors, validateDefinition, validateDefinitionUpdate } from '../custom/definition.js';
import { formatWarnings } from '../custom/versionparts.js';
import type { Strategy } from '../strategy.js';

export const cleanupFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

export const definitionStrategy: Strategy<CustomResourceDefinition> = {
  default: (object) => ({ ...object, spec: withDefaults(object.spec) }),
  prepareForCreate: (_context, object) => ({
    ...object,
    status: {
      conditions: [],
      acceptedNames: { plural: '', kind: '' },
      storedVersions: storageVersions(object.spec),
    },
  }),
  prepareForUpdate: (_context, object, old) => ({ ...object, status: keptStatus(object, old) }),
  prepareForStatusUpdate(_context, object, old) {
    const { metadata, spec } = old;
    return { ...object, metadata: { ...metadata, managedFields: object.metadata.managedFields }, spec };
  },
  validateCreate: (object) => validateDefinition(object, undefined),
  validateUpdate: (object, old) => [
    ...validateDefinition(object, old),
    ...validateDefinitionUpdate(object, old),
  ],
  validateStatusUpdate: ({ status }) => nameErrors(status?.acceptedNames, 'status.acceptedNames'),
  allowUnconditionalUpdate: false,
  warnings(object, old) {
    const known = new Set((old?.spec.versions ?? []).flatMap(warningsOf));
    return (object.spec.versions ?? []).flatMap(warningsOf).filter((warning) => !known.has(warning));
  },
  // Instances have to go first; the controller takes the finalizer away when they have.
  hasOwnFinalizers: ({ status }) => !isMarked(status),
  prepareForDelete({ now }, object) {
    const finalizers = object.metadata.finalizers ?? [];
    const names = finalizers.includes(cleanupFinalizer) ? finalizers : [...finalizers, cleanupFinalizer];
    const terminating = {
      type: 'Terminating',
      status: 'True',
      reason: 'InstanceDeletionPending',
      message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
      lastTransitionTime: toTime(now),
    };
    return {
      ...object,
      metadata: { ...object.metadata, finalizers: names },
      status: { ...statusOf(object), conditions: withCondition(object.status?.conditions, terminating) },
    };
  },
};

const warningsOf = ({ schema }: CustomResourceDefinitionVersion): string[] =>
  formatWarnings(schema?.openAPIV3Schema);

const isMarked = (status: CustomResourceDefinitionStatus | undefined): boolean =>
  status?.conditions?.some(({ type }) => type === 'Terminating') ?? false;

const statusOf = ({ status }: CustomResourceDefinition): CustomResourceDefinitionStatus =>
  status ?? { conditions: [], acceptedNames: { plural: '', kind: '' }, storedVersions: [] };

function withDefaults(given: CustomResourceDefinitionSpec | undefined): CustomResourceDefinitionSpec {
  const spec = given ?? { group: '', names: { plural: '', kind: '' }, scope: '', versions: [] };
  const names = spec.names ?? { plural: '', kind: '' };
  const { kind = '' } = names;
  const { conversion } = spec;
  const service = conversion?.webhook?.clientConfig?.service;
  return {
    ...spec,
    names: {
      ...names,
      singular: names.singular || kind.toLowerCase(),
      listKind: names.listKind || (kind && `${kind}List`),
    },
    conversion: !conversion
      ? { strategy: 'None' }
      : service && service.port === undefined
        ? withPort(conversion)
        : conversion,
  };
}

/** Services of webhooks are on port 443 unless they say otherwise. */
function withPort(
  conversion: NonNullable<CustomResourceDefinitionSpec['conversion']>,
): NonNullable<CustomResourceDefinitionSpec['conversion']> {
  const { webhook } = conversion;
  const { clientConfig } = webhook ?? {};
  if (!webhook || !clientConfig?.service) return conversion;
  const service = { ...clientConfig.service, port: 443 };
  return { ...conversion, webhook: { ...webhook, clientConfig: { ...clientConfig, service } } };
}

const storageVersions = (spec: CustomResourceDefinitionSpec): string[] =>
  (spec.versions ?? []).filter(({ storage }) => storage).map(({ name }) => name);

/** Every version that objects were ever stored in stays known until somebody says that none is left. */
function keptStatus(
  object: CustomResourceDefinition,
  old: CustomResourceDefinition,
): CustomResourceDefinitionStatus {
  const status = statusOf(old);
  const known = status.storedVersions ?? [];
  const added = storageVersions(object.spec).filter((name) => !known.includes(name));
  return isSameJson(added, []) ? status : { ...status, storedVersions: [...known, ...added] };
}
