/**
 * Which tokens a node may ask for: those of its own pods, one by one, for an audience that the pod has a use for (a
 * projected volume, a CSI driver), or that a role lets it `request-serviceaccounts-token-audience`. Part of
 * `noderestriction.ts`.
 */
import { csiDrivers, persistentVolumeClaims, persistentVolumes, pods } from '../../../src/api/kinds.js';
import type { AuthenticationTokenRequest, Pod } from '../../../src/api/types.js';
import type { Client } from '../../../src/client/client.js';
import { ifFound } from '../../../src/client/found.js';
import type { Authorizer } from '../../auth/auth.js';
import { referencesOf } from '../../auth/podreferences.js';
import type { AdmissionRequest } from '../../registry/admission.js';
import type { NodeRule } from './noderestrictionpods.js';
import { refused } from './refusal.js';

interface TokenRuleDeps {
  client: Client;
  authorizer: Authorizer;
}

export function createTokenRule({ client, authorizer }: TokenRuleDeps): NodeRule {
  async function mayAsk({ context, namespace, name }: AdmissionRequest, audience: string): Promise<boolean> {
    const verb = 'request-serviceaccounts-token-audience';
    const what = { group: '', version: 'v1', resource: audience, subresource: '', path: undefined };
    const { allowed } = await authorizer.authorize({ ...what, user: context.user, verb, namespace, name });
    return allowed;
  }

  return async (request, node) => {
    if (request.operation !== 'CREATE') return;
    const { audiences = [], boundObjectRef } = (request.object as AuthenticationTokenRequest).spec ?? {};
    const { apiVersion, kind, name, uid } = boundObjectRef ?? {};
    if (apiVersion !== 'v1' || kind !== 'Pod' || !name)
      throw refused(request, 'node requested token not bound to a pod');
    if (!uid) throw refused(request, 'node requested token with a pod binding without a uid');
    const pod = await client.get(pods, { namespace: request.namespace, name });
    if (pod.metadata.uid !== uid) {
      const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`;
      throw refused(request, why);
    }
    if (pod.spec?.nodeName !== node)
      throw refused(request, 'node requested token bound to a pod scheduled on a different node');
    if (audiences.length > 1) throw refused(request, 'node may only request 0 or 1 audiences');
    const audience = audiences[0] ?? '';
    if ((await hasUse(client, pod, audience)) || (await mayAsk(request, audience))) return;
    const why = `audience ${JSON.stringify(audience)} not found in pod spec volume, ${request.context.user.name} is not authorized to request tokens for this audience`;
    throw refused(request, why);
  };
}

async function hasUse(client: Client, pod: Pod, audience: string): Promise<boolean> {
  const sources = (pod.spec?.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? []);
  const isProjected = sources.some(
    ({ serviceAccountToken: token }) => token && (token.audience ?? '') === audience,
  );
  if (isProjected) return true;
  for (const name of await driversOf(client, pod)) {
    const driver = await ifFound(client.get(csiDrivers, { name }));
    if (driver?.spec.tokenRequests?.some((wanted) => wanted.audience === audience)) return true;
  }
  return false;
}

/** Of its inline volumes and of the volumes behind its claims. */
async function driversOf(client: Client, pod: Pod): Promise<string[]> {
  const { namespace } = pod.metadata;
  const inline = (pod.spec?.volumes ?? []).flatMap(({ csi }) => (csi?.driver ? [csi.driver] : []));
  const claims = referencesOf(pod).filter(({ kind }) => kind === 'persistentvolumeclaims');
  const behind = await Promise.all(
    claims.map(async ({ name }) => {
      const claim = await ifFound(client.get(persistentVolumeClaims, { namespace, name }));
      const volumeName = claim?.spec?.volumeName;
      const volume = volumeName && (await ifFound(client.get(persistentVolumes, { name: volumeName })));
      return volume ? (volume.spec?.csi?.driver ?? []) : [];
    }),
  );
  return [...inline, ...behind.flat()];
}
