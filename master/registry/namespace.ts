/**
 * 2. The rule of every create in a namespace: it must exist and must not be on its way out.
 */
import { ApiError, badRequest, forbidden, notFound } from '../../src/api/errors.js';
import { namespaces } from '../../src/api/kinds.js';
import type { Namespace, ObjectMeta } from '../../src/api/types.js';
import type { Resource } from '../resources/resource.js';
import { type Environment, subjectOf, toStored } from './environment.js';
import { storeKeyOf } from './keys.js';

/** Rejects with 404 for a namespace that is not there, 403 for one that is terminating. */
export async function requireNamespace(
  env: Environment,
  resource: Resource,
  namespace: string,
  name: string,
): Promise<void> {
  const entry = await env.store.get(storeKeyOf(namespaces, { name: namespace }));
  if (!entry) throw notFound({ group: '', resource: 'namespaces', name: namespace });
  const { object } = toStored<Namespace>(env, entry);
  if (!object.metadata.deletionTimestamp && object.status?.phase !== 'Terminating') return;
  const error = forbidden(
    subjectOf(resource, name),
    `unable to create new content in namespace ${namespace} because it is being terminated`,
  );
  throw new ApiError(error.reason, error.message, {
    ...error.details,
    causes: [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ],
  });
}

/** The namespace an object goes to: that of the request, which its body may repeat but not contradict. */
export function namespaceOf(
  meta: ObjectMeta,
  resource: Resource,
  requested: string | undefined,
): string | undefined {
  if (!resource.type.namespaced) return undefined;
  if (requested && meta.namespace && meta.namespace !== requested) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  return requested || meta.namespace;
}
