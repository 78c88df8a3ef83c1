/**
 * What the agent remembers about one pod between two rounds of its worker. A mirror of the runtime plus the memory
 * that `Observed` describes; losing all of it (a restart of the agent) loses nothing that matters.
 *
 * Only the worker of the pod and the tasks it started write here. `isStale` set by anyone makes the worker read the
 * runtime again before it plans.
 */
import type { Pod, PodStatus, ResourceRequirements } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import type { ContainerState, SandboxState } from '../runtime/runtime.js';
import type { Allocation, Checkpoint, NodeEnd } from './checkpoint.js';
import { type ContainerHealth, finishedAtOf, hasEnded, type Observed, type Obstacle } from './observed.js';
import type { ResizeFailure, ResizePending } from './resize.js';

/** An event that has not come after this time is lost. */
const echoMs = 3000;

export class PodRecord {
  readonly uid: string;
  /** The object as last seen; kept when it is gone, to end the pod as it asked. */
  pod: Pod | undefined;
  /** The status as last computed. */
  status: PodStatus | undefined;
  /** Something of the pod may have changed at the runtime: look at what we know of. */
  isStale = false;
  /** There may be things at the runtime that we do not know of: list everything of the pod. */
  isUnsure = false;
  /** A look is planned for when our own calls have settled. */
  isLookPlanned = false;
  /** Until when (monotonic milliseconds) the event that each of our own calls causes may still come. */
  readonly #echoes: number[] = [];
  /** Found at the start of the agent: what the API says about its health holds until probes say otherwise. */
  isAdopted = false;
  /** Something that a volume shows changed. */
  areVolumesStale = false;
  /** The pod has ended and its volumes were given back. */
  areVolumesGone = false;
  /** `finish` was done: what remains is to forget the pod when its object is gone. */
  isFinished = false;

  /** The node took it (`admit` was asked). */
  isTaken = false;
  /** Checkpointed: the node ends the pod. */
  end: NodeEnd | undefined;
  /** The checkpoint is not yet what it should be. */
  isCheckpointDue = false;

  readonly sandboxes = new Map<string, SandboxState>();
  readonly containers = new Map<string, ContainerState>();
  network: Observed['network'];
  readonly health = new Map<string, ContainerHealth>();
  readonly obstacles = new Map<string, Obstacle>();
  /** How often in a row a container could not be made; for the back-off of its obstacle. */
  readonly failures = new Map<string, number>();
  readonly pulling = new Set<string>();
  readonly killing = new Map<string, Date>();
  readonly messages = new Map<string, string>();

  readonly hooking = new Set<string>();
  /** A job makes the volumes; what needs them waits. */
  isMounting = false;
  /** What the pod was given; checkpointed once it differs from what its containers were made with. */
  allocation: Allocation | undefined;
  readonly applied = new Map<string, ResourceRequirements>();
  resizePending: ResizePending | undefined;
  resizeFailure: ResizeFailure | undefined;
  /** Checkpointed; see `Observed`. */
  earlierRun: Readonly<Record<string, number>> = {};
  /** Since when (monotonic milliseconds) the pod is ending. */
  endingSinceMs: number | undefined;
  /** When containers were last known not to have ended, by id, in monotonic milliseconds. */
  readonly #aliveAtMs = new Map<string, number>();
  /** When containers ended, by id, in monotonic milliseconds. */
  readonly #endedAtMs = new Map<string, number>();
  readonly #clock: Clock;

  constructor(uid: string, clock: Clock) {
    this.uid = uid;
    this.#clock = clock;
  }

  observed(): Observed {
    const nowMs = this.#clock.monotonicMs();
    for (const state of this.containers.values()) if (!hasEnded(state)) this.#aliveAtMs.set(state.id, nowMs);
    return {
      sandboxes: [...this.sandboxes.values()],
      containers: [...this.containers.values()],
      network: this.network,
      health: this.health,
      obstacles: this.obstacles,
      pulling: this.pulling,
      killing: this.killing,
      messages: this.messages,
      endedForMs: new Map([...this.#endedAtMs].map(([id, atMs]) => [id, nowMs - atMs])),
      endingForMs: this.endingSinceMs === undefined ? undefined : nowMs - this.endingSinceMs,
      hooking: this.hooking,
      isMounting: this.isMounting,
      applied: this.applied,
      resizePending: this.resizePending,
      resizeFailure: this.resizeFailure,
      earlierRun: this.earlierRun,
      end: this.end,
    };
  }

  /** Takes over what the runtime lists now. */
  mirror(sandboxes: readonly SandboxState[], containers: readonly ContainerState[]): void {
    this.sandboxes.clear();
    for (const sandbox of sandboxes) this.sandboxes.set(sandbox.id, sandbox);
    this.containers.clear();
    for (const container of containers) this.containers.set(container.id, container);
    if (this.network && !this.sandboxes.has(this.network.sandboxId)) this.network = undefined;
    this.#noteEnds();
    for (const memory of [this.health, this.messages, this.applied, this.#aliveAtMs, this.#endedAtMs]) {
      for (const id of memory.keys()) if (!this.containers.has(id)) memory.delete(id);
    }
  }

  #noteEnds(): void {
    const wallMs = this.#clock.now().getTime();
    for (const state of this.containers.values()) {
      if (!hasEnded(state) || this.#endedAtMs.has(state.id)) continue;
      // A changed clock may tell of an end in the future, or long before we last saw it alive.
      const agoMs = Math.max(wallMs - finishedAtOf(state).getTime(), 0);
      const aliveAtMs = this.#aliveAtMs.get(state.id) ?? -Infinity;
      this.#endedAtMs.set(state.id, Math.max(this.#clock.monotonicMs() - agoMs, aliveAtMs));
    }
  }

  /** Told before a call to the runtime that will come back as one event. */
  expectEcho(nowMs: number): void {
    this.#echoes.push(nowMs + echoMs);
  }

  /** Whether an event that arrives now is the echo of a call of ours. */
  takeEcho(nowMs: number): boolean {
    while (this.#echoes[0] !== undefined && this.#echoes[0] < nowMs) this.#echoes.shift();
    return this.#echoes.shift() !== undefined;
  }

  /** The node ends the pod; the first reason stays. */
  endBy(end: NodeEnd): void {
    if (this.end) return;
    this.end = end;
    this.isCheckpointDue = true;
  }

  /** Takes over what an earlier life wrote down. */
  restore({ end, allocation, earlierRun = {} }: Checkpoint): void {
    this.allocation = allocation;
    this.end = end;
    this.earlierRun = earlierRun;
  }

  /** What has to survive this process and is in no label; undefined when there is nothing. */
  checkpoint(): Checkpoint {
    return { end: this.end, allocation: this.allocation, earlierRun: this.earlierRun };
  }

  get isEmpty(): boolean {
    return this.sandboxes.size === 0 && this.containers.size === 0;
  }
}
