/**
 * 7. The pods of this node: wires source, worker, executors, probes and status together. Started by `agent/main.ts`.
 *
 *   pods assigned to this node --+
 *   runtime events --------------+-> queue of uids -> worker -> computeActions -> executors -> runtime, network...
 *   probe verdicts, timers ------+                       '----> toPodStatus -> status writer -> API
 *
 * `start` returns when the runtime's pods are known; it does not wait for the API. Until the first list of pods
 * arrives, what has no object is left alone: an agent without its master keeps what runs, and runs static pods.
 * `stop` never stops a container.
 */

import { keyOf } from '../../src/api/meta.js';
import type { Pod } from '../../src/api/types.js';
import { createController, on } from '../../src/client/controller.js';
import { createStop } from '../../src/client/wait.js';
import { type Component, healthyNow } from '../../src/host/component.js';
import type { ProbeResult } from '../probes/manager.js';
import { adopt } from './adoption.js';
import { createAllocating } from './allocating.js';
import { assemble, type PodParts, type PodsOptions } from './assembly.js';
import { type Checkpoint, createCheckpoints } from './checkpoint.js';
import { collectGarbage, giveBack } from './garbage.js';
import { findContainer, type LookupTarget } from './lookup.js';
import { containerNameOf, podName, podNamespace, podUid } from './names.js';
import type { PodEnd } from './needs.js';
import { appContainersOf, hasEnded, initContainersOf, isRunning, isStarted, specOf } from './observed.js';
import { PodRecord } from './record.js';
import { createWorker } from './worker.js';

/** How many pods are worked on at a time; what they ask of the runtime is bounded apart (`gate.ts`). */
const workers = 40;
/** How long after our own calls the runtime is looked at, to be sure. */
const settleMs = 2000;
/** Guards against events that the runtime lost. */
const relistMs = 5 * 60_000;

/** The index by which the source of pods is asked. */
export const uidIndexers = { uid: (pod: Pod): readonly string[] => [podUid(pod)] };

export interface Pods extends Component {
  /** The runtime's id of a started container; see `findContainer`. */
  containerId(target: LookupTarget, options: { previous: boolean }): string | undefined;
  probeResults(): ProbeResult[];
  /**
   * The node ends the pod: its containers are stopped, it stays as `Failed`. Returns at once; a pod that is unknown or
   * over is left as it is, and the first reason stays. Holds across a restart of the agent.
   */
  end(uid: string, end: PodEnd): void;
  /** Whether nothing runs any more of a pod that was ended, and its volumes are gone; true for one that is unknown. */
  hasLeft(uid: string): boolean;
}

export function createPods(options: PodsOptions): Pods {
  const { runtime, clock, source } = options;
  const log = options.log.child({ component: 'pods' });
  const records = new Map<string, PodRecord>();
  const stopping = createStop();
  /** Looks at the runtime that wait for their time: what cancels each. */
  const plannedLooks = new Set<() => void>();
  const podOf = (uid: string): Pod | undefined => source.byIndex('uid', uid)[0];
  const enqueue = (uid: string): void => controller.enqueue(uid);
  const parts = assemble(options, {
    podOf,
    recordOf: (uid) => records.get(uid),
    enqueue,
    enqueueAfter: (uid, ms) => controller.enqueueAfter(uid, ms),
    signal: stopping.signal,
    log,
  });
  const checkpoints = createCheckpoints(options.podsDirectory, log);
  /** What an earlier life of the agent wrote down, until the pod is met. */
  let written = new Map<string, Checkpoint>();

  function makeRecord(uid: string): PodRecord {
    const record = new PodRecord(uid, clock);
    const checkpoint = written.get(uid);
    if (checkpoint) record.restore(checkpoint);
    written.delete(uid);
    return record;
  }

  /** A full disk is no reason not to end a pod. */
  async function checkpoint(record: PodRecord): Promise<void> {
    record.isCheckpointDue = false;
    try {
      await checkpoints.write(record.uid, record.checkpoint());
    } catch (error) {
      log.warn({ err: error, podUid: record.uid }, 'cannot write the checkpoint of a pod');
    }
  }

  const allocating = createAllocating({
    records,
    allocatable: options.allocatable,
    events: parts.events,
    enqueue,
  });
  const worker = createWorker({
    podOf,
    records,
    runtime,
    clock,
    execute: parts.execute,
    node: () => options.node,
    publish: (pod, status) => {
      options.statics?.noteStatus(podUid(pod), status);
      parts.statuses.publish(pod, status);
    },
    onRound: (pod, record, signal) => onRound(pod, record, signal, parts),
    onLook: async (pod, record) => {
      await readMessages(pod, record, parts);
      if (!record.isFinished) await options.logLinks?.sync(pod, record.containers.values());
    },
    makeRecord,
    hasSynced: () => source.hasSynced(),
    onGone,
    giveBack: (uid) => giveBack(uid, { ...parts, cgroups: options.cgroups }),
    allocating,
    checkpoint,
    admit: options.admit,
    onRefused: (pod, { reason, message }) => parts.events.record(pod, 'Warning', reason, message),
    onDeadline: (pod, { reason = '', message = '' }) => parts.events.record(pod, 'Normal', reason, message),
    onBackOff: (pod, container) => {
      const where = `${podName(pod)}_${podNamespace(pod)}(${podUid(pod)})`;
      const message = `Back-off restarting failed container ${container} in pod ${where}`;
      parts.events.record(pod, 'Warning', 'BackOff', message, container);
    },
  });
  const controller = createController({
    name: 'pods',
    reconciler: worker,
    fieldsOf: (uid) => {
      const pod = podOf(uid) ?? records.get(uid)?.pod;
      return pod ? { pod: keyOf(pod) } : {};
    },
    // Pods that are known can be worked on before the API has told of all of them.
    sources: [
      { ...on(source, ({ old, current }) => uidsOf(old, current)), whenSynced: async () => undefined },
    ],
    workers,
    clock,
    log,
    backoff: { minMs: 200, maxMs: 60_000 },
  });

  async function followEvents(): Promise<void> {
    for await (const event of runtime.events(stopping.signal)) {
      if (event.type === 'pod') onEvent(event.podUid);
      else await resync();
    }
  }

  function lookAgain(uid: string): void {
    const record = records.get(uid);
    if (record) record.isStale = true;
    enqueue(uid);
  }

  /** What we do ourselves comes back as events: those are looked at together, later, and not in the way. */
  function onEvent(uid: string): void {
    const record = records.get(uid);
    if (!record?.takeEcho(clock.monotonicMs())) {
      lookAgain(uid);
      return;
    }
    if (record.isLookPlanned) return;
    record.isLookPlanned = true;
    lookLater(uid, record);
  }

  /** In a burst of pods a look waits until nothing more urgent does. */
  function lookLater(uid: string, record: PodRecord): void {
    const cancel = clock.after(settleMs, () => {
      plannedLooks.delete(cancel);
      if (parts.isCrowded()) {
        lookLater(uid, record);
        return;
      }
      record.isLookPlanned = false;
      lookAgain(uid);
    });
    plannedLooks.add(cancel);
  }

  /** Events may have been missed: look at every pod, and for pods nobody knew of. */
  async function resync(): Promise<void> {
    try {
      for (const uid of await adopt(runtime, records, makeRecord)) enqueue(uid);
    } catch (error) {
      log.warn({ err: error }, 'cannot list the containers of the runtime');
    }
    for (const [uid, record] of records) {
      record.isUnsure = true;
      lookAgain(uid);
    }
  }

  async function sweep(): Promise<void> {
    if (!source.hasSynced()) return;
    await options.logLinks?.sweep();
    const { volumes, removePodDirectory } = parts;
    const { podsDirectory, cgroups, network } = options;
    const hasObject = (uid: string): boolean => podOf(uid) !== undefined;
    await collectGarbage({
      podsDirectory,
      records,
      hasObject,
      volumes,
      cgroups,
      network,
      removePodDirectory,
    });
  }

  /** From now on a pod without an object is one that is gone. */
  async function onSynced(): Promise<void> {
    for (const uid of records.keys()) enqueue(uid);
    await sweep();
  }

  /** Others may have waited for what it had: its resources, its name. Not those that are gone themselves. */
  function onGone(): void {
    allocating.retryDeferred();
    for (const [uid, record] of records) if (!record.isTaken && podOf(uid)) enqueue(uid);
  }

  const relistLater = (): void => {
    const cancel = clock.after(relistMs, () => {
      if (stopping.signal.aborted) return;
      inBackground(resync().then(sweep).finally(relistLater), 'clearing up failed');
    });
    stopping.signal.addEventListener('abort', cancel, { once: true });
  };

  const background = new Set<Promise<unknown>>();
  function inBackground(task: Promise<unknown>, what: string): void {
    const guarded = task
      .catch((error: unknown) => {
        if (!stopping.signal.aborted) log.error({ err: error }, what);
      })
      .finally(() => background.delete(guarded));
    background.add(guarded);
  }

  return {
    name: 'pods',
    async start(signal) {
      await runtime.ensureSandboxImage();
      written = await checkpoints.readAll();
      const found = await adopt(runtime, records, makeRecord);
      if (found.length > 0) log.info({ pods: found.length }, 'found pods of an earlier life');
      stopping.follow(signal);
      await parts.statuses.start(stopping.signal);
      for (const uid of found) enqueue(uid);
      await controller.start(stopping.signal);
      inBackground(source.whenSynced(stopping.signal).then(onSynced), 'clearing up failed');
      inBackground(followEvents(), 'the events of the runtime ended');
      relistLater();
    },
    async stop() {
      stopping.abort(new Error('the agent stops'));
      for (const cancel of plannedLooks) cancel();
      parts.probes.stop();
      await controller.stop();
      await parts.statuses.stop();
      await parts.objects.stop();
      await Promise.all(background);
    },
    healthy: () => healthyNow,
    end(uid, end) {
      const pod = podOf(uid);
      const record = records.get(uid) ?? (pod && makeRecord(uid));
      const phase = record?.status?.phase ?? pod?.status?.phase;
      if (!record || phase === 'Succeeded' || phase === 'Failed') return;
      records.set(uid, record);
      record.endBy(end);
      enqueue(uid);
    },
    hasLeft(uid) {
      const record = records.get(uid);
      return !record || record.isFinished || record.areVolumesGone;
    },
    probeResults: () => parts.probes.results(),
    containerId: (target, how) =>
      findContainer(target, how, { podOf: (ref) => source.get(ref), recordOf: (uid) => records.get(uid) }),
  };
}

const uidsOf = (...pods: (Pod | undefined)[]): Set<string> =>
  new Set(pods.flatMap((pod) => (pod ? [podUid(pod)] : [])));

/** What runs gets probed; volumes follow the objects they show. */
async function onRound(pod: Pod, record: PodRecord, signal: AbortSignal, parts: PodParts): Promise<void> {
  const observed = record.observed();
  const isEnding = record.endingSinceMs !== undefined;
  const running = [...initContainersOf(pod), ...appContainersOf(pod)].flatMap((spec) =>
    observed.containers
      .filter((state) => isRunning(state) && containerNameOf(state) === spec.name)
      .map((state) => ({
        id: state.id,
        spec,
        podIp: record.network?.ips[0] ?? '',
        startedAt: state.startedAt ?? state.createdAt,
        isStarted: isStarted(observed, spec, state),
      })),
  );
  parts.probes.sync(record.uid, record.network ? running : [], isEnding);
  if (!record.isFinished) await followVolumes(pod, record, signal, parts);
}

/** What has ended needs no volumes, but may stay for long: it gives them back before it is deleted. */
async function followVolumes(
  pod: Pod,
  record: PodRecord,
  signal: AbortSignal,
  { volumes }: PodParts,
): Promise<void> {
  const phase = record.status?.phase;
  if (phase === 'Succeeded' || phase === 'Failed') {
    if (record.areVolumesGone || [...record.containers.values()].some(isRunning)) return;
    await volumes.tearDown(record.uid);
    record.areVolumesGone = true;
    return;
  }
  if (!record.areVolumesStale || record.endingSinceMs !== undefined) return;
  record.areVolumesStale = false;
  try {
    await volumes.prepare(pod, signal);
  } catch (error) {
    record.areVolumesStale = true;
    throw error;
  }
}

/** Reads what containers left behind as their last words, once each. */
async function readMessages(pod: Pod, record: PodRecord, parts: PodParts): Promise<void> {
  for (const state of record.containers.values()) {
    if (!hasEnded(state) || record.messages.has(state.id)) continue;
    const spec = specOf(pod, containerNameOf(state));
    record.messages.set(state.id, await parts.lastWords(record.uid, state, spec));
  }
}
