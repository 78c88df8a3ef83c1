/**
 * Which objects a controller owns: it adopts orphans that match its selector and releases what no longer does.
 * Called by the replicaset and the deployment controllers. The rules are those of Kubernetes: one managing owner per
 * object, never adopt from or into something that is being deleted.
 */

import type { ResourceType } from '../../src/api/kinds.js';
import { controllerOf, controllerRef, refOf } from '../../src/api/meta.js';
import type { Selector } from '../../src/api/selectors.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { ifFound } from '../../src/client/found.js';

export interface Claims<T extends KubeObject> {
  /** Ours already, and matching. */
  owned: T[];
  adopt: T[];
  release: T[];
}

export function planClaims<T extends KubeObject>(
  owner: KubeObject,
  selector: Selector,
  candidates: readonly T[],
): Claims<T> {
  const claims: Claims<T> = { owned: [], adopt: [], release: [] };
  const isLeaving = owner.metadata.deletionTimestamp !== undefined;
  for (const object of candidates) {
    const manager = controllerOf(object);
    const isMatching = selector.matches(object.metadata.labels);
    if (manager && manager.uid !== owner.metadata.uid) continue;
    if (manager && isMatching) claims.owned.push(object);
    else if (isLeaving) continue;
    else if (manager) claims.release.push(object);
    else if (isMatching && !object.metadata.deletionTimestamp) claims.adopt.push(object);
  }
  return claims;
}

export interface ClaimTarget<O extends KubeObject, T extends KubeObject> {
  client: Client;
  ownerType: ResourceType<O>;
  owner: O;
  type: ResourceType<T>;
}

/**
 * Carries the plan out and returns all that is ours now. Adoption first makes sure, with a live read, that the owner is
 * not being deleted or replaced by another of its name. What vanished meanwhile is left out.
 */
export async function executeClaims<O extends KubeObject, T extends KubeObject>(
  target: ClaimTarget<O, T>,
  claims: Claims<T>,
): Promise<T[]> {
  const { client, ownerType, owner } = target;
  const owned = [...claims.owned];
  if (claims.adopt.length > 0) {
    const live = await client.get(ownerType, refOf(owner));
    const isSame = live.metadata.uid === owner.metadata.uid && !live.metadata.deletionTimestamp;
    const reference = controllerRef(owner, { apiVersion: owner.apiVersion ?? '', kind: owner.kind ?? '' });
    for (const orphan of isSame ? claims.adopt : []) {
      const adopted = await setOwners(target, orphan, [
        ...(orphan.metadata.ownerReferences ?? []),
        reference,
      ]);
      if (adopted) owned.push(adopted);
    }
  }
  for (const stray of claims.release) {
    const others = (stray.metadata.ownerReferences ?? []).filter(
      (reference) => reference.uid !== owner.metadata.uid,
    );
    await setOwners(target, stray, others);
  }
  return owned;
}

async function setOwners<O extends KubeObject, T extends KubeObject>(
  { client, type }: ClaimTarget<O, T>,
  object: T,
  ownerReferences: object[],
): Promise<T | undefined> {
  const { uid, resourceVersion } = object.metadata;
  const body = { metadata: { uid, resourceVersion, ownerReferences } };
  return ifFound(client.patch(type, refOf(object), { type: 'merge', body }));
}
