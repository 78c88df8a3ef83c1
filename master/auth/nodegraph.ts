/**
 * Which objects have to do with a node: those that its pods name, and theirs.
 *
 *   node <- pod <- secret, configmap, service account
 *   node <- pod <- claim <- volume <- secret
 *
 * A yes comes from an index over a cache of pods, at once. A no is never said from it, since it may be a moment behind (a
 * pod was just bound, the master just started): then the registry is asked. Mirror pods, which a node makes itself,
 * give it nothing. Asked by `nodeauthorizer.ts`; starts without waiting for its first list.
 */
import { persistentVolumeClaims, persistentVolumes, pods, volumeAttachments } from '../../src/api/kinds.js';
import type { PersistentVolume, Pod } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { ifFound } from '../../src/client/found.js';
import { createInformer } from '../../src/client/informer.js';
import type { Clock } from '../../src/host/clock.js';
import type { Component } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import { isMirrorPod } from '../registry/kinds/mirrorpod.js';
import { type ReferencedKind, referencesOf, secretsOfPersistentVolume } from './podreferences.js';

interface NamespacedRef {
  namespace: string;
  name: string;
}

type Relation = boolean | Promise<boolean>;

export interface NodeGraph {
  /** Whether a pod of the node, or a volume of one, needs the object. Never of another namespace than asked for. */
  uses(node: string, kind: ReferencedKind, ref: NamespacedRef): Relation;
  usesVolume(node: string, name: string): Relation;
  hasPod(node: string, ref: NamespacedRef): Relation;
  hasAttachment(node: string, name: string): Relation;
}

const nodeField = 'spec.nodeName';

/** No name of an object has a space. */
const useKey = (node: string, kind: string, { namespace, name }: NamespacedRef): string =>
  `${node} ${kind} ${namespace}/${name}`;

/** What a pod gives to the node it is bound to; mirrors are themselves all that they give. */
function usesOf(pod: Pod): string[] {
  const node = pod.spec?.nodeName;
  if (!node) return [];
  const { namespace = '', name = '' } = pod.metadata;
  const own = useKey(node, 'pods', { namespace, name });
  if (isMirrorPod(pod)) return [own];
  const named = referencesOf(pod).map((use) => useKey(node, use.kind, { namespace, name: use.name }));
  return [...new Set([own, ...named])];
}

export function createNodeGraph({
  client,
  clock,
  log,
}: {
  /** In process, as the master itself. */
  client: Client;
  clock: Clock;
  log: Logger;
}): NodeGraph & Component {
  const informer = createInformer({ client, type: pods, clock, log, indexers: { uses: usesOf } });

  const isKnown = (key: string): boolean => informer.byIndex('uses', key).length > 0;

  const podsOf = async (node: string, namespace: string): Promise<readonly Pod[]> =>
    (await client.list(pods, { namespace, fieldSelector: `${nodeField}=${node}` })).items;

  async function looksUsed(node: string, kind: ReferencedKind, ref: NamespacedRef): Promise<boolean> {
    const key = useKey(node, kind, ref);
    const own = await podsOf(node, ref.namespace);
    if (own.some((pod) => usesOf(pod).includes(key))) return true;
    return kind === 'secrets' && isOfVolume(node, ref);
  }

  /** The volumes of pods of all namespaces: a volume may name a Secret elsewhere than its claim. */
  async function isOfVolume(node: string, { namespace, name }: NamespacedRef): Promise<boolean> {
    const { items } = await client.list(persistentVolumes, {});
    const holders = items.filter((volume) =>
      secretsOfPersistentVolume(volume).some((ref) => ref.name === name && ref.namespace === namespace),
    );
    for (const volume of holders) if (await isMounted(node, volume)) return true;
    return false;
  }

  async function isMounted(node: string, { metadata, spec }: PersistentVolume): Promise<boolean> {
    const { namespace = '', name = '' } = spec?.claimRef ?? {};
    if (!namespace || !name) return false;
    const claim = await ifFound(client.get(persistentVolumeClaims, { namespace, name }));
    if (claim?.spec?.volumeName !== metadata.name) return false;
    return uses(node, 'persistentvolumeclaims', { namespace, name });
  }

  const uses = (node: string, kind: ReferencedKind, ref: NamespacedRef): Relation =>
    isKnown(useKey(node, kind, ref)) || looksUsed(node, kind, ref);

  return {
    name: 'node-graph',
    start: (signal) => informer.start(signal),
    stop: () => informer.stop(),
    healthy: () => informer.healthy(),
    uses,
    hasPod: (node, ref) =>
      isKnown(useKey(node, 'pods', ref)) ||
      ifFound(client.get(pods, ref)).then((pod) => pod?.spec?.nodeName === node),
    async usesVolume(node, name) {
      const volume = await ifFound(client.get(persistentVolumes, { name }));
      return volume !== undefined && isMounted(node, volume);
    },
    async hasAttachment(node, name) {
      const attachment = await ifFound(client.get(volumeAttachments, { name }));
      return attachment?.spec.nodeName === node;
    },
  };
}
