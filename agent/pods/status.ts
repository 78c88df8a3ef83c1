/**
 * 9. `toPodStatus`: what the agent reports about a pod, from its spec and what is observed. Pure.
 *
 * Conditions and times that the agent does not own (PodScheduled, readiness gates, what controllers add) are kept;
 * `lastTransitionTime` moves only when a condition changes, so that an unchanged pod gives an equal status.
 */
import { findCondition, isConditionTrue, withCondition } from '../../src/api/meta.js';
import type { Container, ContainerStatus, Pod, PodCondition, PodStatus } from '../../src/api/types.js';
import { toTime } from '../../src/host/clock.js';
import type { SandboxState } from '../runtime/runtime.js';
import { type StatusContext, toContainerStatus } from './containerstatus.js';
import { ephemeralContainersOf, toEphemeralStatus } from './ephemeral.js';
import {
  appContainersOf,
  currentSandbox,
  initContainersOf,
  isRunning,
  isSidecar,
  type Observed,
} from './observed.js';
import { endOf, phaseOf } from './phase.js';
import { unresized } from './resize.js';
import { leftRunning } from './restartall.js';

export interface NodeFacts {
  /** `docker`, the scheme of container ids. */
  runtimeName: string;
  hostIPs: readonly string[];
  /** The QoS class of a pod; the API sets it on create, this is for a pod without. */
  qosClassOf(pod: Pod): string;
}

/** `pod.status` is what was reported last (by us or others). */
export function toPodStatus(pod: Pod, observed: Observed, node: NodeFacts, now: Date): PodStatus {
  const end = endOf(pod, observed, now);
  const context: StatusContext = { ...node, now, isOver: end !== undefined };
  const statusesOf = (specs: readonly Container[]): ContainerStatus[] =>
    specs.map((spec) => toContainerStatus(pod, spec, observed, context));
  const inits = statusesOf(initContainersOf(pod));
  const apps = statusesOf(appContainersOf(pod));
  const ephemeral = statusesOf(ephemeralContainersOf(pod)).map((status) => toEphemeralStatus(pod, status));
  const was = pod.status ?? {};
  const isTerminal = was.phase === 'Succeeded' || was.phase === 'Failed';
  // A pod is not called over while it may still use what it holds: that is told once its containers have ended.
  const isWindingDown = end !== undefined && !isTerminal && observed.containers.some(isRunning);
  const phase = phaseOf(pod, observed, isWindingDown ? undefined : end);
  const ips = addressesOf(pod, observed, node);
  const reason = (isWindingDown ? undefined : end?.reason) ?? was.reason;
  const message = (isWindingDown ? undefined : end?.message) ?? was.message;
  // What is over and cleared away stays as it was told.
  const isGone = end !== undefined && observed.containers.length === 0 && observed.sandboxes.length === 0;
  return {
    phase,
    conditions: conditionsOf(pod, observed, { phase: end?.phase ?? phase, inits, apps }, now),
    ...(reason && { reason }),
    ...(message && { message }),
    ...(node.hostIPs[0] && { hostIP: node.hostIPs[0], hostIPs: node.hostIPs.map((ip) => ({ ip })) }),
    ...(ips[0] && { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    startTime: was.startTime ?? toTime(now),
    ...(isGone ? reportedContainers(was) : containersOf(inits, apps, ephemeral)),
    qosClass: was.qosClass ?? node.qosClassOf(pod),
    ...(pod.metadata.generation !== undefined && { observedGeneration: pod.metadata.generation }),
  };
}

type ContainerStatuses = Pick<
  PodStatus,
  'initContainerStatuses' | 'containerStatuses' | 'ephemeralContainerStatuses'
>;

const containersOf = (
  inits: ContainerStatus[],
  apps: ContainerStatus[],
  ephemeral: ContainerStatus[],
): ContainerStatuses => ({
  ...(inits.length > 0 && { initContainerStatuses: inits }),
  containerStatuses: apps,
  ...(ephemeral.length > 0 && { ephemeralContainerStatuses: ephemeral }),
});

const reportedContainers = (was: PodStatus): ContainerStatuses => ({
  ...(was.initContainerStatuses && { initContainerStatuses: was.initContainerStatuses }),
  ...(was.containerStatuses && { containerStatuses: was.containerStatuses }),
  ...(was.ephemeralContainerStatuses && { ephemeralContainerStatuses: was.ephemeralContainerStatuses }),
});

/** A pod keeps the address it had last while its sandbox is down; on the host's network it has the host's. */
function addressesOf(pod: Pod, observed: Observed, node: NodeFacts): readonly string[] {
  if (pod.spec?.hostNetwork)
    return currentSandbox(observed)?.state === 'running' ? node.hostIPs : reported(pod);
  return observed.network?.ips ?? reported(pod);
}

const reported = (pod: Pod): readonly string[] => (pod.status?.podIPs ?? []).map(({ ip }) => ip);

interface Statuses {
  phase: string;
  inits: readonly ContainerStatus[];
  apps: readonly ContainerStatus[];
}

function conditionsOf(pod: Pod, observed: Observed, statuses: Statuses, now: Date): PodCondition[] {
  let conditions: PodCondition[] = pod.status?.conditions ?? [];
  const set = (type: string, verdict: Verdict): void => {
    const condition = {
      type,
      ...verdict,
      observedGeneration: pod.metadata.generation,
      lastProbeTime: undefined,
      lastTransitionTime: toTime(now),
    };
    conditions = withCondition(conditions, withoutUndefined(condition));
  };
  const unset = (type: string): void => {
    conditions = conditions.filter((condition) => condition.type !== type);
  };
  const ready = containersReady(pod, statuses);
  set('PodReadyToStartContainers', sandboxReady(pod, observed));
  set('Initialized', initialized(pod, statuses));
  set('Ready', ready.status === 'True' ? gatesReady(pod) : ready);
  set('ContainersReady', ready);
  if (!conditions.some(({ type }) => type === 'PodScheduled')) set('PodScheduled', yes);
  const { resizePending, resizeFailure } = observed;
  if (resizePending) set('PodResizePending', { status: 'True', ...resizePending });
  else unset('PodResizePending');
  if (unresized(pod, observed).length > 0) {
    const failure = resizeFailure && { reason: 'Error', message: resizeFailure.message };
    set('PodResizeInProgress', { status: 'True', ...failure });
  } else unset('PodResizeInProgress');
  if (Object.keys(observed.earlierRun).length > 0) {
    const isUnderWay = leftRunning(pod, observed).length > 0;
    set('AllContainersRestarting', { status: isUnderWay ? 'True' : 'False' });
  }
  const { disruption } = observed.end ?? {};
  if (disruption) set('DisruptionTarget', { status: 'True', ...disruption });
  return conditions;
}

interface Verdict {
  status: 'True' | 'False';
  reason?: string;
  message?: string;
}

const yes: Verdict = { status: 'True' };

function sandboxReady(pod: Pod, observed: Observed): Verdict {
  const sandbox = currentSandbox(observed);
  const isUp =
    sandbox?.state === 'running' &&
    (pod.spec?.hostNetwork || observed.network?.sandboxId === sandbox.id || wasUp(pod, observed, sandbox));
  return { status: isUp ? 'True' : 'False' };
}

/** An agent that has just started knows no addresses yet; what was said of this sandbox holds until it has asked. */
function wasUp(pod: Pod, observed: Observed, { createdAt }: SandboxState): boolean {
  const said = findCondition(pod.status?.conditions, 'PodReadyToStartContainers');
  if (observed.network || said?.status !== 'True' || !said.lastTransitionTime) return false;
  return createdAt.getTime() < Date.parse(said.lastTransitionTime) + 1000;
}

function initialized(pod: Pod, { phase, inits, apps }: Statuses): Verdict {
  if (phase === 'Succeeded') return { status: 'True', reason: 'PodCompleted' };
  const hasAppBegun = apps.some(({ state, lastState }) => !state?.waiting || lastState?.terminated);
  if (hasAppBegun) return yes;
  const incomplete = initContainersOf(pod)
    .filter((spec, index) => !(isSidecar(spec) ? inits[index]?.started : inits[index]?.ready))
    .map(({ name }) => name);
  if (incomplete.length === 0) return yes;
  const message = `containers with incomplete status: [${incomplete.join(' ')}]`;
  return { status: 'False', reason: 'ContainersNotInitialized', message };
}

function containersReady(pod: Pod, { phase, inits, apps }: Statuses): Verdict {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  const sidecars = initContainersOf(pod).flatMap((spec, index) => (isSidecar(spec) ? [inits[index]] : []));
  const unready = [...sidecars, ...apps]
    .filter((status) => status?.ready === false)
    .map((status) => status?.name);
  if (unready.length === 0) return yes;
  const message = `containers with unready status: [${unready.join(' ')}]`;
  return { status: 'False', reason: 'ContainersNotReady', message };
}

/** Every condition named by a readiness gate has to be true as well; somebody else sets those. */
function gatesReady(pod: Pod): Verdict {
  const closed = (pod.spec?.readinessGates ?? [])
    .filter(({ conditionType }) => !isConditionTrue(pod.status?.conditions, conditionType))
    .map(({ conditionType }) => {
      const found = findCondition(pod.status?.conditions, conditionType);
      return found
        ? `the status of pod readiness gate "${conditionType}" is not "True", but ${found.status}`
        : `corresponding condition of pod readiness gate "${conditionType}" does not exist.`;
    });
  if (closed.length === 0) return yes;
  return { status: 'False', reason: 'ReadinessGatesNotReady', message: closed.join(', ') };
}

const withoutUndefined = <T extends object>(object: T): T =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
