/**
 * Node-pressure eviction: looks every ten seconds at what the node has left, says which pressures it is under, frees
 * what nobody needs and, when that is not enough, ends one pod after the other. Storage limits of pods are kept here
 * too. Started by `agent/main.ts`.
 *
 *   observe -> assess (pressure.ts) -> over a storage limit: end those
 *                                  '-> a threshold is due: clear up; still met: rank, end the first, wait for it
 *
 * An idle look costs a few small reads. Pods are measured only when a threshold is due or one has a storage limit, and
 * walks through their directories take at most a twentieth of the time.
 */
import type { Node, Pod } from '../../src/api/types.js';
import { createController } from '../../src/client/controller.js';
import type { EventRecorder } from '../../src/client/events.js';
import type { Clock } from '../../src/host/clock.js';
import { type Component, healthyNow } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import { isCritical } from '../admission/critical.js';
import type { Pressure } from '../node/conditions.js';
import { podName, podNamespace, podUid } from '../pods/names.js';
import type { PodEnd } from '../pods/needs.js';
import type { Measure } from './measure.js';
import { disruptionReason, evictedReason, pressureMessage } from './messages.js';
import type { Observe, Observed } from './observe.js';
import { assess, noPressure, type PressureRules, type PressureState, thresholdsMet } from './pressure.js';
import { rankForEviction } from './rank.js';
import { type Starved, signalFacts, type Threshold } from './signals.js';
import { exceededLimit, hasStorageLimit } from './storagelimits.js';
import type { DiskParts, PodUse } from './usage.js';

export interface EvictionOptions {
  rules: PressureRules;
  /** Grace of pods that a soft threshold ends. */
  maxPodGraceSeconds: number;
  observe: Observe;
  measure: Measure;
  /** All pods of this node. */
  pods(): readonly Pod[];
  end(uid: string, end: PodEnd): void;
  /** Whether nothing runs any more of a pod that was ended, and its volumes are gone. */
  hasLeft(uid: string): boolean;
  /** Frees disk that no pod needs, before any pod has to go. */
  clearUp(signal: AbortSignal): Promise<void>;
  /** The node, for events about it. */
  node(): Node | undefined;
  recorder: EventRecorder;
  /** The pressures changed. */
  onChange(): void;
  clock: Clock;
  log: Logger;
}

export interface Eviction extends Component {
  pressures(): ReadonlySet<Pressure>;
}

const lookMs = 10_000;
/** While a pod that was ended is on its way out. */
const waitMs = 1_000;
/** A pod that does not go does not keep the node from ending others. */
const patienceMs = 30_000;
/** Of the time at most this part goes into measuring disks for limits. */
const measuringShare = 20;

export function createEviction(options: EvictionOptions): Eviction {
  const { clock, measure, rules } = options;
  const log = options.log.child({ component: 'eviction' });
  let state: PressureState = noPressure;
  let pressures: ReadonlySet<Pressure> = new Set();
  let measureAtMs = 0;
  /** Ended and not yet gone, with the time until which to wait. */
  const leaving = new Map<string, number>();
  /** Ended by us; the API may not know yet. */
  const ended = new Set<string>();

  /** What may be evicted, and what uses something. */
  function activePods(): Pod[] {
    const pods = options.pods();
    const known = new Set(pods.map(podUid));
    for (const uid of ended) if (!known.has(uid)) ended.delete(uid);
    return pods.filter(
      ({ status, metadata }) =>
        status?.phase !== 'Failed' && status?.phase !== 'Succeeded' && !ended.has(metadata.uid ?? ''),
    );
  }

  function tell(now: ReadonlySet<Pressure>): void {
    const isSame = now.size === pressures.size && [...now].every((pressure) => pressures.has(pressure));
    pressures = now;
    if (isSame) return;
    log.info({ pressures: [...now] }, 'the pressures of this node changed');
    options.onChange();
  }

  /** False for a pod that must not be evicted. */
  function evict(pod: Pod, message: string, how: { graceSeconds: number; isDisruption: boolean }): boolean {
    const where = { pod: `${podNamespace(pod)}/${podName(pod)}` };
    if (isCritical(pod)) {
      log.warn(where, 'a critical pod is not evicted');
      return false;
    }
    log.warn({ ...where, why: message }, 'pod evicted');
    options.recorder.event(pod, 'Warning', evictedReason, message);
    options.end(podUid(pod), {
      reason: evictedReason,
      message,
      graceSeconds: how.graceSeconds,
      ...(how.isDisruption && { disruption: { reason: disruptionReason, message } }),
    });
    ended.add(podUid(pod));
    const graceMs = how.graceSeconds * 1000;
    leaving.set(podUid(pod), clock.monotonicMs() + graceMs + patienceMs);
    return true;
  }

  /** True while somebody is still on the way out. */
  function waitForLeaving(): boolean {
    for (const [uid, untilMs] of leaving) {
      const hasLeft = options.hasLeft(uid);
      if (!hasLeft && clock.monotonicMs() < untilMs) continue;
      leaving.delete(uid);
      if (!hasLeft) log.warn({ podUid: uid }, 'an evicted pod does not end');
    }
    return leaving.size > 0;
  }

  async function keepLimits(pods: readonly Pod[], parts: DiskParts, signal: AbortSignal): Promise<boolean> {
    const limited = pods.filter(hasStorageLimit);
    const startMs = clock.monotonicMs();
    if (limited.length === 0 || startMs < measureAtMs) return false;
    const uses = await measure.disk(limited, signal);
    const endMs = clock.monotonicMs();
    measureAtMs = endMs + Math.max(lookMs / 2, (endMs - startMs) * measuringShare);
    const evicted = limited.filter((pod) => {
      const use = uses.get(podUid(pod));
      const message = use && exceededLimit(pod, use, parts);
      return message !== undefined && evict(pod, message, { graceSeconds: 0, isDisruption: false });
    });
    return evicted.length > 0;
  }

  /** Whether clearing up was enough. Only what images and layers lie on can be cleared. */
  async function isRelieved(
    { starved, parts }: Situation,
    hasImageFs: boolean,
    signal: AbortSignal,
  ): Promise<boolean> {
    if ((starved !== 'ephemeral-storage' && starved !== 'inodes') || (hasImageFs && !parts.layers))
      return false;
    await options.clearUp(signal);
    const { observations } = await options.observe();
    return thresholdsMet(rules.thresholds, observations).length === 0;
  }

  async function relieve(due: Threshold, observed: Observed, signal: AbortSignal): Promise<boolean> {
    const situation = situationOf(due, observed.hasImageFs);
    const { starved, parts } = situation;
    log.warn({ signal: due.signal }, 'a threshold is met, reclaiming');
    const node = options.node();
    if (node) {
      const text = `Attempting to reclaim ${starved}`;
      options.recorder.event(node, 'Warning', 'EvictionThresholdMet', text);
    }
    if (await isRelieved(situation, observed.hasImageFs, signal)) {
      log.info({ signal: due.signal }, 'clearing up was enough, no pod is evicted');
      return false;
    }
    const pods = activePods();
    const uses: ReadonlyMap<string, PodUse> =
      starved === 'memory' || starved === 'pids' ? await measure.memory() : await measure.disk(pods, signal);
    const useOf = (pod: Pod): PodUse | undefined => uses.get(podUid(pod));
    const graceSeconds = due.graceMs === 0 ? 0 : options.maxPodGraceSeconds;
    for (const pod of rankForEviction(pods, { starved, parts, useOf })) {
      const message = pressureMessage(due, observed.observations, pod, useOf(pod));
      if (evict(pod, message, { graceSeconds, isDisruption: true })) return true;
    }
    log.warn({ signal: due.signal }, 'there is no pod to evict');
    return false;
  }

  async function look(signal: AbortSignal): Promise<boolean> {
    const observed = await options.observe();
    const assessment = assess(rules, observed.observations, state, clock.monotonicMs());
    state = assessment.state;
    tell(assessment.pressures);
    const onNodeFs: DiskParts = { layers: !observed.hasImageFs, logsAndVolumes: true };
    if (await keepLimits(activePods(), onNodeFs, signal)) return true;
    const [due] = assessment.due;
    return due ? await relieve(due, observed, signal) : false;
  }

  const controller = createController({
    name: 'eviction',
    sources: [],
    clock,
    log,
    backoff: { minMs: 1_000, maxMs: lookMs },
    reconciler: {
      async reconcile(_key, { signal }) {
        const isBusy = waitForLeaving() || (await look(signal));
        return { requeueAfterMs: isBusy ? waitMs : lookMs };
      },
    },
  });

  return {
    name: 'eviction',
    async start(signal) {
      await controller.start(signal);
      controller.enqueue('node');
    },
    stop: () => controller.stop(),
    healthy: () => healthyNow,
    pressures: () => pressures,
  };
}

interface Situation {
  starved: Starved;
  /** What of the pods lies on the file system in question. */
  parts: DiskParts;
}

function situationOf({ signal }: Threshold, hasImageFs: boolean): Situation {
  const isImageFs = signal.startsWith('imagefs.');
  return {
    starved: signalFacts[signal].starved,
    parts: { layers: !hasImageFs || isImageFs, logsAndVolumes: !hasImageFs || !isImageFs },
  };
}
