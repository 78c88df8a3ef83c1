/**
 * Who shows a service account's token: signature, audience and time, and whether everything it is bound to still exists
 * with the same uid. Called by `serviceaccount.ts`. The objects are looked up every time: a token ends with its pod.
 */

import { nodes, pods, type ResourceType, secrets, serviceAccounts } from '../../../src/api/kinds.js';
import type { ObjectRef } from '../../../src/api/meta.js';
import type { Client } from '../../../src/client/client.js';
import { ifFound } from '../../../src/client/found.js';
import type { Clock } from '../../../src/host/clock.js';
import type { TokenIdentity } from '../auth.js';
import { type ObjectClaim, type TokenClaims, userOfClaims } from '../claims.js';
import type { TokenIssuer } from './issuer.js';

export interface BoundTokenOptions {
  issuer: Pick<TokenIssuer, 'verify' | 'audiences'>;
  client: Pick<Client, 'get'>;
  clock: Pick<Clock, 'now'>;
}

/**
 * What is being deleted counts as there for this long after it should have gone, as documented: a pod's end may need its
 * token. What is gone ends its tokens at once.
 */
const leewayMs = 60_000;

/** `undefined` when the token is none of ours, is for none of the audiences or has ended. */
export async function identifyBoundToken(
  { issuer, client, clock }: BoundTokenOptions,
  token: string,
  audiences: readonly string[] = issuer.audiences,
): Promise<TokenIdentity | undefined> {
  const claims = await issuer.verify(token);
  if (!claims) return undefined;
  const wanted = audiences.filter((audience) => claims.aud.includes(audience));
  if (wanted.length === 0) return undefined;
  for (const { type, ref, uid } of objectsOf(claims)) {
    const object = await ifFound(client.get(type, ref));
    const deletedAt = Date.parse(object?.metadata.deletionTimestamp ?? '');
    if (object?.metadata.uid !== uid || deletedAt < clock.now().getTime() - leewayMs) return undefined;
  }
  return { user: userOfClaims(claims), audiences: wanted };
}

interface BoundObject {
  type: ResourceType;
  ref: ObjectRef;
  uid: string;
}

/** A pod's node is information, not a bond. */
function objectsOf({ 'kubernetes.io': claim }: TokenClaims): BoundObject[] {
  const { namespace, serviceaccount, secret, pod, node } = claim;
  const inNamespace = (type: ResourceType, { name, uid }: ObjectClaim): BoundObject => ({
    type,
    ref: { namespace, name },
    uid,
  });
  return [
    inNamespace(serviceAccounts, serviceaccount),
    ...(secret ? [inNamespace(secrets, secret)] : []),
    ...(pod ? [inNamespace(pods, pod)] : []),
    ...(node && !pod ? [{ type: nodes, ref: { name: node.name }, uid: node.uid }] : []),
  ];
}
