/**
 * 2. OwnerReferencesPermissionEnforcement: who gives an object an owner may have it deleted with that owner, so must be
 * allowed to delete it; who lets it block the deletion of its owner must be allowed to set finalizers there. Off unless
 * `--enable-admission-plugins` names it.
 */
import type { KubeObject, OwnerReference } from '../../../src/api/types.js';
import type { Admission, AdmissionRequest } from '../../registry/admission.js';
import { isSameJson } from '../../registry/codec.js';
import type { PluginDeps } from '../plugin.js';
import { refused } from './refusal.js';

const ownersOf = (object: KubeObject | undefined): readonly OwnerReference[] =>
  object?.metadata?.ownerReferences ?? [];

export function createOwnerReferencesPermissionEnforcement({ authorizer, resources }: PluginDeps): Admission {
  async function requireDelete(request: AdmissionRequest): Promise<void> {
    const { group, version, resource } = request.resource.type;
    const { namespace, name, subresource, context } = request;
    const what = { group, version, resource, subresource, namespace, name, path: undefined };
    const { allowed, reason } = await authorizer.authorize({ ...what, user: context.user, verb: 'delete' });
    if (!allowed) throw refused(request, `cannot set an ownerRef on a resource you can't delete: ${reason}`);
  }

  async function requireFinalizers(request: AdmissionRequest, owner: OwnerReference): Promise<void> {
    const type = typeOf(owner);
    if (!type) {
      const of = `APIVersion ${owner.apiVersion} Kind ${owner.kind}`;
      throw refused(
        request,
        `cannot set blockOwnerDeletion in this case because cannot find RESTMapping for ${of}`,
      );
    }
    const { allowed, reason } = await authorizer.authorize({
      ...{ user: request.context.user, verb: 'update', subresource: 'finalizers', path: undefined },
      ...{ group: type.group, version: type.version, resource: type.resource, name: owner.name },
      namespace: type.namespaced ? request.namespace : undefined,
    });
    if (!allowed) {
      const why =
        "cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on";
      throw refused(request, `${why}: ${reason}`);
    }
  }

  const typeOf = ({ apiVersion, kind }: OwnerReference) =>
    resources.rows
      .map(({ type }) => type)
      .find(
        (type) => type.kind === kind && [type.group, type.version].filter(Boolean).join('/') === apiVersion,
      );

  return {
    concerns: ({ type }, operation, subresource) =>
      (operation === 'CREATE' || operation === 'UPDATE') &&
      !(type.group === '' && type.resource === 'pods' && subresource === 'status'),
    mutate: async ({ object }) => object,
    async validate(request) {
      const [now, before] = [ownersOf(request.object), ownersOf(request.oldObject)];
      if (isSameJson(now, before)) return;
      // Who creates an object could as well have left it.
      if (request.operation === 'UPDATE') await requireDelete(request);
      const wasBlocking = before.filter((owner) => owner.blockOwnerDeletion).map(({ uid }) => uid);
      for (const owner of now)
        if (owner.blockOwnerDeletion && !wasBlocking.includes(owner.uid))
          await requireFinalizers(request, owner);
    },
  };
}
