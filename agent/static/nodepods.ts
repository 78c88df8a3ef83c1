/**
 * The pods of this node, from both sources: those that the API assigned to it, and static pods from files. What
 * `agent/pods` and everybody else on the node sees. A mirror pod (the object in the API that stands for a static pod) is
 * no pod of its own here: its changes are told as changes of the static pod, which carries its status.
 *
 * Invariant: a name and a uid belong to one pod; of two with one name the static one is meant.
 */
import { keyOf, keyOfRef } from '../../src/api/meta.js';
import type { Pod, PodStatus } from '../../src/api/types.js';
import type { Change, Source } from '../../src/client/cache.js';
import { annotations, isMirror } from './annotations.js';

export interface NodePods extends Source<Pod> {
  /** All static pods, from now on. */
  setStatic(pods: readonly Pod[]): void;
  staticPods(): readonly Pod[];
  staticPod(key: string): Pod | undefined;
  /** The object in the API to write the status to: the pod itself, or its mirror as far as there is one. */
  objectOf(pod: Pod): Pod | undefined;
  /** What is reported of a static pod, for as long as no mirror tells it. */
  noteStatus(uid: string, status: PodStatus): void;
}

const uidOf = (pod: Pod): string => pod.metadata.uid ?? '';

/** `assigned`: the pods that the API assigned to this node, indexed by `uid`. */
export function createNodePods(assigned: Source<Pod>): NodePods {
  const byKey = new Map<string, Pod>();
  const byUid = new Map<string, Pod>();
  const noted = new Map<string, PodStatus>();
  const handlers = new Set<(change: Change<Pod>) => void>();

  const mirrorOf = (pod: Pod): Pod | undefined => {
    const found = assigned.getByKey(keyOf(pod));
    return found?.metadata.annotations?.[annotations.mirror] === uidOf(pod) ? found : undefined;
  };
  const withStatus = (pod: Pod): Pod => {
    const status = noted.get(uidOf(pod)) ?? mirrorOf(pod)?.status;
    return status ? { ...pod, status } : pod;
  };
  const own = (pod: Pod | undefined): Pod | undefined => (pod && isMirror(pod) ? undefined : pod);
  const tell = (change: Change<Pod>): void => {
    for (const handler of handlers) handler(change);
  };

  const getByKey = (key: string): Pod | undefined => {
    const found = byKey.get(key);
    return found ? withStatus(found) : own(assigned.getByKey(key));
  };
  const ordinary = (pods: readonly Pod[]): Pod[] =>
    pods.filter((pod) => !isMirror(pod) && !byKey.has(keyOf(pod)));

  return {
    get: (ref) => getByKey(keyOfRef(ref)),
    getByKey,
    list(namespace) {
      const mine = [...byKey.values()].filter(
        ({ metadata }) => namespace === undefined || metadata.namespace === namespace,
      );
      return [...mine.map(withStatus), ...ordinary(assigned.list(namespace))];
    },
    byIndex(index, value) {
      const found = index === 'uid' ? byUid.get(value) : undefined;
      return found ? [withStatus(found)] : ordinary(assigned.byIndex(index, value));
    },
    hasSynced: () => assigned.hasSynced(),
    whenSynced: (signal) => assigned.whenSynced(signal),
    onChange(handler) {
      handlers.add(handler);
      for (const pod of byKey.values())
        handler({ key: keyOf(pod), old: undefined, current: withStatus(pod) });
      const off = assigned.onChange(({ key, old, current }) => {
        const found = byKey.get(key);
        if (found) handler({ key, old: found, current: withStatus(found) });
        const change = { key, old: own(old), current: own(current) };
        if (change.old ?? change.current) handler(change);
      });
      return () => {
        handlers.delete(handler);
        off();
      };
    },
    setStatic(pods) {
      const before = new Map(byKey);
      byKey.clear();
      byUid.clear();
      for (const pod of pods) {
        const old = before.get(keyOf(pod));
        // The same one keeps the time it was first seen.
        const kept = old && uidOf(old) === uidOf(pod) ? old : pod;
        byKey.set(keyOf(pod), kept);
        byUid.set(uidOf(pod), kept);
      }
      for (const uid of noted.keys()) if (!byUid.has(uid)) noted.delete(uid);
      for (const key of new Set([...before.keys(), ...byKey.keys()])) {
        const [old, current] = [before.get(key), byKey.get(key)];
        if (old !== current) tell({ key, old, current });
      }
    },
    staticPods: () => [...byKey.values()],
    staticPod: (key) => byKey.get(key),
    objectOf: (pod) => (byUid.has(uidOf(pod)) ? mirrorOf(pod) : pod),
    noteStatus(uid, status) {
      if (byUid.has(uid)) noted.set(uid, status);
    },
  };
}
