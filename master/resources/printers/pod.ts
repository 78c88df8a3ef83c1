/** The columns of pods, and the one word that says how a pod is. Pure; as kubectl users know them. */
import { isConditionTrue } from '../../../src/api/meta.js';
import type { ContainerStatus, Pod } from '../../../src/api/types.js';
import type { Printer } from '../resource.js';
import { ageColumn, ageOf, createdAge, nameColumn, text, wide } from './age.js';

const none = '<none>';

export const podPrinter: Printer<Pod> = {
  columns: [
    nameColumn,
    text('Ready', 'Containers that are ready, of all that are wanted.'),
    text('Status', 'The phase of the pod, or the reason why it is not there yet.'),
    text('Restarts', 'How often its containers were restarted, and when last.'),
    ageColumn,
    wide(text('IP', 'Address of the pod.')),
    wide(text('Node', 'Node on which it runs.')),
    wide(text('Nominated Node', 'Node that is being cleared for it.')),
    wide(text('Readiness Gates', 'Conditions others must set before it is ready.')),
  ],
  cells(pod, now) {
    const { ready, total } = readiness(pod);
    return [
      pod.metadata.name,
      `${ready}/${total}`,
      podReason(pod),
      restarts(pod, now),
      createdAge(pod, now),
      pod.status?.podIPs?.[0]?.ip || pod.status?.podIP || none,
      pod.spec?.nodeName || none,
      pod.status?.nominatedNodeName || none,
      readinessGates(pod),
    ];
  },
};

const isSidecar = (pod: Pod, name: string): boolean =>
  pod.spec?.initContainers?.find((container) => container.name === name)?.restartPolicy === 'Always';

const sidecars = (pod: Pod): ContainerStatus[] =>
  (pod.status?.initContainerStatuses ?? []).filter((status) => isSidecar(pod, status.name));

function readiness(pod: Pod): { ready: number; total: number } {
  const wanted =
    pod.spec?.initContainers?.filter((container) => container.restartPolicy === 'Always').length ?? 0;
  const counted = [...sidecars(pod), ...(pod.status?.containerStatuses ?? [])];
  return {
    ready: counted.filter((status) => status.ready && (status.state?.running || isSidecar(pod, status.name)))
      .length,
    total: wanted + (pod.spec?.containers.length ?? 0),
  };
}

function restarts(pod: Pod, now: Date): string {
  const isInitialized =
    initReason(pod) === undefined || isConditionTrue(pod.status?.conditions, 'Initialized');
  const counted = isInitialized
    ? [...sidecars(pod), ...(pod.status?.containerStatuses ?? [])]
    : (pod.status?.initContainerStatuses ?? []);
  const count = counted.reduce((sum, status) => sum + (status.restartCount ?? 0), 0);
  const last = counted
    .map((status) => status.lastState?.terminated?.finishedAt ?? '')
    .reduce((latest, time) => (time > latest ? time : latest), '');
  return count > 0 && last ? `${count} (${ageOf(last, now)} ago)` : String(count);
}

const ended = (state: {
  reason?: string | undefined;
  signal?: number | undefined;
  exitCode: number;
}): string => state.reason || (state.signal ? `Signal:${state.signal}` : `ExitCode:${state.exitCode}`);

/** `Init:0/2`, `Init:Error`...; undefined once the init containers are through. */
function initReason(pod: Pod): string | undefined {
  const statuses = pod.status?.initContainerStatuses ?? [];
  for (const [index, status] of statuses.entries()) {
    const { terminated, waiting } = status.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (isSidecar(pod, status.name) && status.started) continue;
    if (terminated) return `Init:${ended(terminated)}`;
    if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
    return `Init:${index}/${pod.spec?.initContainers?.length ?? 0}`;
  }
  return undefined;
}

/** What the STATUS column says. */
export function podReason(pod: Pod): string {
  const { status, metadata } = pod;
  const isFinished = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  if (metadata.deletionTimestamp && status?.reason === 'NodeLost') return 'Unknown';
  if (metadata.deletionTimestamp && !isFinished) return 'Terminating';
  const waiting = initReason(pod);
  const isInitialized = isConditionTrue(status?.conditions, 'Initialized');
  if (waiting !== undefined && !isInitialized) return waiting;
  return containerReason(pod) ?? status?.reason ?? gated(pod) ?? status?.phase ?? 'Unknown';
}

const gated = (pod: Pod): string | undefined =>
  pod.status?.conditions?.some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated')
    ? 'SchedulingGated'
    : undefined;

/** The first container that has something to say decides. */
function containerReason(pod: Pod): string | undefined {
  const statuses = pod.status?.containerStatuses ?? [];
  const reasons = statuses.flatMap(({ state }) => {
    if (state?.waiting?.reason) return [state.waiting.reason];
    return state?.terminated ? [ended(state.terminated)] : [];
  });
  const [first] = reasons;
  if (first !== 'Completed' || !statuses.some(({ ready, state }) => ready && state?.running)) return first;
  return isConditionTrue(pod.status?.conditions, 'Ready') ? 'Running' : 'NotReady';
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec?.readinessGates ?? [];
  if (gates.length === 0) return none;
  const met = gates.filter((gate) => isConditionTrue(pod.status?.conditions, gate.conditionType)).length;
  return `${met}/${gates.length}`;
}
