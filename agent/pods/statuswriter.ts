/**
 * 9. The only writer of pod statuses on this node. The worker hands in what it computed and never waits; a queue keyed
 * by uid sends the newest one, only when it differs from what the API has, and retries with back-off while the API is
 * away. Also deletes the object of a pod that is gone, after its last status.
 */
import { isReason } from '../../src/api/errors.js';
import { pods } from '../../src/api/kinds.js';
import { refOf } from '../../src/api/meta.js';
import type { Pod, PodStatus } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { createController } from '../../src/client/controller.js';
import type { Clock } from '../../src/host/clock.js';
import type { Component } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import { podUid } from './names.js';
import { statusPatch } from './statuspatch.js';

export interface StatusWriter extends Component {
  publish(pod: Pod, status: PodStatus): void;
  /** Sends what is still to be sent, then deletes the object for good. */
  deleteObject(pod: Pod, status: PodStatus | undefined): void;
}

export interface StatusWriterOptions {
  client: Pick<Client, 'patch' | 'delete'>;
  /** The object as the cache has it. */
  podOf(uid: string): Pod | undefined;
  /** The object in the API that carries the pod's status; undefined while there is none. The pod itself when absent. */
  objectOf?: ((pod: Pod) => Pod | undefined) | undefined;
  clock: Clock;
  log: Logger;
}

interface Wanted {
  pod: Pod;
  status: PodStatus | undefined;
  isDeletion: boolean;
}

const workers = 8;

export function createStatusWriter(options: StatusWriterOptions): StatusWriter {
  const { client } = options;
  const wanted = new Map<string, Wanted>();
  /** What the API answered to our last write; the cache may lag behind it. */
  const answered = new Map<string, Pod>();
  const controller = createController({
    name: 'pod-status',
    reconciler: { reconcile: (uid, { signal }) => write(uid, signal).then(() => undefined) },
    sources: [],
    workers,
    clock: options.clock,
    log: options.log,
    backoff: { minMs: 100, maxMs: 10_000 },
  });
  /** A write failed since the last one that did not. */
  let isBehind = false;

  /** The first write that gets through after the API was away brings all others along. */
  function catchUp(): void {
    if (!isBehind) return;
    isBehind = false;
    for (const uid of wanted.keys()) controller.enqueue(uid);
  }

  /** The newest of what is known of the object in the API that carries the status; a mirror has a uid of its own. */
  function known(uid: string, fallback: Pod): Pod | undefined {
    const pod = options.podOf(uid) ?? fallback;
    const cached = options.objectOf ? options.objectOf(pod) : pod;
    const answer = answered.get(uid);
    const isNewer =
      cached && answer && podUid(answer) === podUid(cached) && versionOf(answer) > versionOf(cached);
    return isNewer ? answer : cached;
  }

  async function write(uid: string, signal: AbortSignal): Promise<void> {
    const now = wanted.get(uid);
    if (!now) return;
    if (!options.podOf(uid)) {
      wanted.delete(uid);
      answered.delete(uid);
      return;
    }
    try {
      const object = known(uid, now.pod);
      const patch = object && now.status && statusPatch(object.status, now.status);
      if (patch) {
        // The uid makes the write fail when a namesake has taken the pod's place.
        const body = { metadata: { uid: podUid(object) }, status: patch };
        const answer = await client.patch(
          pods,
          refOf(now.pod),
          { type: 'strategic', body },
          { subresource: 'status', signal },
        );
        answered.set(uid, answer);
      }
      if (now.isDeletion)
        await client.delete(pods, refOf(now.pod), { gracePeriodSeconds: 0, preconditions: { uid }, signal });
    } catch (error) {
      const isOver = isReason(error, 'NotFound') || (isReason(error, 'Conflict') && !options.podOf(uid));
      if (!isOver) {
        isBehind = true;
        throw error;
      }
    }
    catchUp();
    if (wanted.get(uid) === now) wanted.delete(uid);
    if (now.isDeletion) answered.delete(uid);
  }

  return {
    name: controller.name,
    start: (signal) => controller.start(signal),
    stop: () => controller.stop(),
    healthy: () => controller.healthy(),
    publish(pod, status) {
      const uid = podUid(pod);
      if (wanted.get(uid)?.isDeletion) return;
      const object = known(uid, pod);
      // A mirror that comes is a change of its pod, upon which the status is published again.
      if (!object || (!wanted.has(uid) && !statusPatch(object.status, status))) return;
      wanted.set(uid, { pod, status, isDeletion: false });
      controller.enqueue(uid);
    },
    deleteObject(pod, status) {
      wanted.set(podUid(pod), { pod, status, isDeletion: true });
      controller.enqueue(podUid(pod));
    },
  };
}

/** Versions are decimal and grow (Kubernetes promises that since 1.35). */
const versionOf = (pod: Pod): bigint =>
  BigInt(/^\d+$/.test(pod.metadata.resourceVersion ?? '') ? (pod.metadata.resourceVersion ?? '0') : '0');
