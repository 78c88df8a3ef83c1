/**
 * 7. The worker of pods: one pod at a time (the queue hands a uid to one worker only), plan and act until there is
 * nothing left but to wait. Called by the controller loop for every change of the object, every runtime event, every
 * probe result and every timer; none of these says what to do, they only say "look again".
 *
 * Invariants: the plan is made from the newest object and, after any event or error, from a fresh look at the runtime.
 * The status is published after every round, so it never waits for what comes next. A failed step ends the round; the
 * queue comes back with back-off.
 */

import { keyOf } from '../../src/api/meta.js';
import type { Pod, PodCondition, PodStatus } from '../../src/api/types.js';
import { type ReconcileContext, type ReconcileResult, ReportedError } from '../../src/client/reconciler.js';
import type { Clock } from '../../src/host/clock.js';
import { type ContainerState, type Runtime, RuntimeError, type SandboxState } from '../runtime/runtime.js';
import { isFromFile } from '../static/annotations.js';
import { computeActions, type Step } from './actions.js';
import { adoptHealth } from './adoption.js';
import { type Allocating, activePods } from './allocating.js';
import { newlyBackedOff } from './containerstatus.js';
import { showsChange } from './downward.js';
import type { Execute } from './executors.js';
import { podFromLabels } from './names.js';
import { type AdmitPod, ConfigError, type PodEnd, VolumeError } from './needs.js';
import { finishedAtOf, hasEnded } from './observed.js';
import { type Ending, endOf } from './phase.js';
import type { PodRecord } from './record.js';
import { withAllocation } from './resources.js';
import { type NodeFacts, toPodStatus } from './status.js';
import { isOwnCondition } from './statuspatch.js';
import { StillMounting } from './volumejobs.js';

export interface WorkerOptions {
  /** The object, or undefined when it is gone. */
  podOf(uid: string): Pod | undefined;
  records: Map<string, PodRecord>;
  runtime: Runtime;
  execute: Execute;
  node(): NodeFacts;
  /** Publishes a computed status; only for pods that have an object. */
  publish(pod: Pod, status: PodStatus): void;
  /** Whether the node takes a pod; see `AdmitPod`. */
  admit?: AdmitPod | undefined;
  onRefused(pod: Pod, refusal: Pick<PodEnd, 'reason' | 'message'>): void;
  /** The time is up that the pod was given. */
  onDeadline(pod: Pod, end: Pick<Ending, 'reason' | 'message'>): void;
  /** Makes what was decided survive this process. */
  checkpoint(record: PodRecord): Promise<void>;
  /** Whether the API has told which pods there are. */
  hasSynced(): boolean;
  /** A pod is gone from here. */
  onGone(): void;
  allocating: Allocating;
  /** Called after each round: what runs is what gets probed, and volumes follow their objects. */
  onRound(pod: Pod, record: PodRecord, signal: AbortSignal): Promise<void>;
  /** Called before each plan: what containers left behind is read. */
  onLook(pod: Pod, record: PodRecord): Promise<void>;
  makeRecord(uid: string): PodRecord;
  /** Gives back what an earlier life of the agent may have left of a pod that is gone. */
  giveBack(uid: string): Promise<void>;
  /** A container began to wait for its next start after a failure. */
  onBackOff(pod: Pod, container: string): void;
  clock: Clock;
}

/** More rounds than any pod needs (start: 3, end: 5, per init container: 1); what is left then goes through the queue. */
const maxRounds = 50;
/** After its end a container's state changes no more; only that it was the memory limit may be told late. */
const settledMs = 10_000;

interface RuntimeStates {
  sandboxes: SandboxState[];
  containers: ContainerState[];
}

/** A start that takes longer than this tells what it is doing. */
const firstStatusAfterMs = 700;

export function createWorker(options: WorkerOptions) {
  const { records, clock } = options;

  async function reconcile(uid: string, context: ReconcileContext): Promise<ReconcileResult> {
    const record = records.get(uid) ?? options.makeRecord(uid);
    records.set(uid, record);
    for (let round = 0; round < maxRounds; round += 1) {
      if (record.isStale) await refresh(record);
      // Without a list of the API nobody knows whether a pod is gone.
      if (!options.podOf(uid) && !options.hasSynced()) return undefined;
      const pod = wanted(record);
      if (!pod || (record.isFinished && record.isEmpty)) {
        if (options.podOf(uid)) return undefined;
        // Deleted before this life of ours saw it: what an earlier one made for it besides containers is unknown.
        if (!record.pod) await options.giveBack(uid);
        if (records.delete(uid)) options.onGone();
        return undefined;
      }
      if (!record.isTaken && mustWait(pod, record)) return undefined;
      if (!record.isTaken) admit(pod, record);
      await options.onLook(pod, record);
      noteEnd(pod, record);
      if (record.isCheckpointDue) await options.checkpoint(record);
      const steps = computeActions(pod, record.observed(), clock.now());
      const work = steps.filter((step) => step.do !== 'wakeAt');
      if (work.length === 0 && !record.isStale) {
        await finishRound(pod, record, context);
        return nextWake(steps);
      }
      await runSteps(pod, record, work, context);
    }
    return { requeueAfterMs: 1000 };
  }

  function noteEnd(pod: Pod, record: PodRecord): void {
    const end = endOf(pod, record.observed(), clock.now());
    if (!end || record.endingSinceMs !== undefined) return;
    record.endingSinceMs = clock.monotonicMs();
    if (end.reason === 'DeadlineExceeded' && !isTerminal(pod)) options.onDeadline(pod, end);
  }

  /** A static pod whose file changed is another pod of the same name: it begins when the old one has ended. */
  const mustWait = (pod: Pod, record: PodRecord): boolean =>
    isFromFile(pod) &&
    record.isEmpty &&
    [...records.values()].some(
      (other) => other !== record && !other.isEmpty && keyOf(record.pod ?? pod) === keyOfRecord(other),
    );

  /** Asked once, before anything of the pod is made. What runs already was taken by an earlier life of ours. */
  function admit(pod: Pod, record: PodRecord): void {
    if (pod.metadata.deletionTimestamp !== undefined || record.end || isTerminal(pod)) return;
    const refusal = record.isEmpty ? options.admit?.(pod, activePods(records, record)) : undefined;
    if (!refusal) {
      record.isTaken = true;
      return;
    }
    record.endBy({
      ...refusal,
      message: `Pod was rejected: ${refusal.message}`,
      graceSeconds: 0,
      isRefused: true,
    });
    options.onRefused(pod, refusal);
  }

  async function runSteps(
    pod: Pod,
    record: PodRecord,
    work: readonly Step[],
    context: ReconcileContext,
  ): Promise<void> {
    const isFresh = work.every((step) => step.do === 'startSandbox' || step.do === 'startContainer');
    if (!isFresh) publish(pod, record);
    const cancel = clock.after(firstStatusAfterMs, () => publish(pod, record));
    try {
      const results = await Promise.allSettled(
        work.map((step) => options.execute(step, { pod, record, ...context })),
      );
      const failed = results.flatMap((result) =>
        result.status === 'rejected' ? [result.reason as unknown] : [],
      );
      if (failed.length > 0) record.isStale = record.isUnsure = true;
      const fatal = failed.find((error) => !isRace(error));
      // These have their events.
      if (fatal instanceof ConfigError || fatal instanceof VolumeError)
        throw new ReportedError(fatal.message);
      if (fatal !== undefined) throw fatal;
    } finally {
      cancel();
      await finishRound(pod, record, context);
    }
  }

  async function finishRound(pod: Pod, record: PodRecord, { signal }: ReconcileContext): Promise<void> {
    publish(pod, record);
    await options.onRound(pod, record, signal);
  }

  function publish(planned: Pod, record: PodRecord): void {
    const current = options.podOf(record.uid);
    if (!current || record.isFinished) return;
    const pod = withStatus({ ...current, spec: planned.spec }, record);
    const before = record.status;
    record.status = toPodStatus(pod, record.observed(), options.node(), clock.now());
    if (isTerminal(record) && before && !isTerminal({ status: before })) options.allocating.retryDeferred();
    for (const container of newlyBackedOff(before, record.status)) options.onBackOff(current, container);
    options.publish(current, record.status);
  }

  /** The pod as it should be; one whose object is gone is wanted deleted, as long as anything of it is left. */
  function wanted(record: PodRecord): Pod | undefined {
    const pod = options.podOf(record.uid);
    if (pod) {
      if (record.isAdopted) adoptHealth(pod, record);
      if (record.pod && showsChange(record.pod, pod)) record.areVolumesStale = true;
      record.pod = pod;
      return withStatus(options.allocating.allocate(pod, record), record);
    }
    const [left] = [...record.containers.values(), ...record.sandboxes.values()];
    if (!left && (!record.pod || record.isFinished)) return undefined;
    if (!record.pod) return left && podFromLabels(left, clock.now());
    const deletionTimestamp = record.pod.metadata.deletionTimestamp ?? clock.now().toISOString();
    return {
      ...withAllocation(record.pod, record.allocation),
      metadata: { ...record.pod.metadata, deletionTimestamp },
    };
  }

  async function refresh(record: PodRecord): Promise<void> {
    const { isUnsure } = record;
    record.isStale = record.isUnsure = false;
    try {
      const { sandboxes, containers } = await (isUnsure ? listAll(record.uid) : lookAtKnown(record));
      record.mirror(sandboxes, containers);
    } catch (error) {
      record.isStale = true;
      record.isUnsure ||= isUnsure;
      throw error;
    }
  }

  async function listAll(podUid: string): Promise<RuntimeStates> {
    const [sandboxes, containers] = await Promise.all([
      options.runtime.listSandboxes({ podUid }),
      options.runtime.listContainers({ podUid }),
    ]);
    return { sandboxes, containers };
  }

  /** Only the worker makes things, so it knows what there is; this is much cheaper for the runtime than a list. */
  async function lookAtKnown(record: PodRecord): Promise<RuntimeStates> {
    const now = clock.now().getTime();
    const isSettled = (state: ContainerState): boolean =>
      hasEnded(state) && now - finishedAtOf(state).getTime() > settledMs;
    const [sandboxes, containers] = await Promise.all([
      Promise.all([...record.sandboxes.keys()].map((id) => options.runtime.inspectSandbox(id))),
      Promise.all(
        [...record.containers.values()].map((state) =>
          isSettled(state) ? state : options.runtime.inspectContainer(state.id),
        ),
      ),
    ]);
    return {
      sandboxes: sandboxes.filter((state) => state !== undefined),
      containers: containers.filter((state) => state !== undefined),
    };
  }

  function nextWake(steps: readonly Step[]): ReconcileResult {
    const times = steps.flatMap((step) => (step.do === 'wakeAt' ? [step.at.getTime()] : []));
    if (times.length === 0) return undefined;
    return { requeueAfterMs: Math.max(Math.min(...times) - clock.now().getTime(), 1) };
  }

  return { reconcile };
}

function keyOfRecord({ pod, sandboxes, containers }: PodRecord): string | undefined {
  const [left] = [...sandboxes.values(), ...containers.values()];
  return pod ? keyOf(pod) : left && keyOf(podFromLabels(left, new Date(0)));
}

/** Somebody (an earlier life of ours) was faster, or a job goes on: look again instead of backing off. */
const isRace = (error: unknown): boolean =>
  error instanceof StillMounting ||
  (error instanceof RuntimeError && (error.kind === 'conflict' || error.kind === 'notFound'));

const isTerminal = ({ status }: { status?: PodStatus | undefined }): boolean =>
  status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** Our own last status is newer than the object's; conditions of others and a terminal phase are the object's. */
function withStatus(pod: Pod, record: PodRecord): Pod {
  const ours = record.status;
  if (!ours) return pod;
  const theirs = pod.status;
  const isOurs = ({ type }: PodCondition): boolean =>
    isOwnCondition(type) || (type === 'DisruptionTarget' && record.end?.disruption !== undefined);
  const conditions = [
    ...(theirs?.conditions ?? []).filter((condition) => !isOurs(condition)),
    ...(ours.conditions ?? []).filter(isOurs),
  ];
  const verdict =
    theirs && isTerminal(pod) ? { phase: theirs.phase, reason: theirs.reason, message: theirs.message } : {};
  return { ...pod, status: { ...ours, ...verdict, conditions } };
}
