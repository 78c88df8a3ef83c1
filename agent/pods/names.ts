/**
 * How the agent names and labels what it makes, and reads it back. Pure.
 *
 * Names and attempts are deterministic: a create that is repeated after a crash meets the first one as a conflict and
 * adopts it. Everything that has to survive a restart of the agent is in the labels (attempt, back-off, grace).
 */
import { createHash } from 'node:crypto';
import type { Container, Pod } from '../../src/api/types.js';
import { type ContainerState, labels, type SandboxState } from '../runtime/runtime.js';

/** Labels that only `agent/pods` reads. */
export const podLabels = {
  /** Milliseconds to wait before the next attempt, should this one end within ten minutes. */
  backoffMs: 'io.wherry.backoff-ms',
  /** cpu and memory it was made with, as JSON: a resize is seen by the difference. */
  resources: 'io.wherry.resources',
  /** Termination grace of the pod in seconds, for a pod whose object is gone when the agent comes back. */
  graceSeconds: 'io.wherry.grace-seconds',
} as const;

export const podUid = (pod: Pod): string => pod.metadata.uid ?? '';
export const podName = (pod: Pod): string => pod.metadata.name ?? '';
export const podNamespace = (pod: Pod): string => pod.metadata.namespace ?? 'default';

/** A container of the pod as events name it: `spec.initContainers{first}`. */
export function containerPath(pod: Pod, container: string): string {
  const { initContainers = [], ephemeralContainers = [] } = pod.spec ?? {};
  const isIn = (list: readonly Container[]): boolean => list.some(({ name }) => name === container);
  const list = isIn(ephemeralContainers)
    ? 'ephemeralContainers'
    : isIn(initContainers)
      ? 'initContainers'
      : 'containers';
  return `spec.${list}{${container}}`;
}

/** A field of a container of the pod as messages name it: `spec.initContainers{first}.image`. */
export const containerField = (pod: Pod, container: string, field: string): string =>
  `${containerPath(pod, container)}.${field}`;

const nameOf = (pod: Pod, part: string, attempt: number): string =>
  `wherry_${part}_${podName(pod)}_${podNamespace(pod)}_${podUid(pod)}_${attempt}`;

export const sandboxName = (pod: Pod, attempt: number): string => nameOf(pod, 'POD', attempt);
export const containerName = (pod: Pod, container: string, attempt: number): string =>
  nameOf(pod, container, attempt);

const ownerLabels = (pod: Pod, nodeName: string): Record<string, string> => ({
  [labels.podUid]: podUid(pod),
  [labels.podName]: podName(pod),
  [labels.podNamespace]: podNamespace(pod),
  [labels.node]: nodeName,
  [podLabels.graceSeconds]: String(graceSecondsOf(pod)),
});

export const sandboxLabels = (pod: Pod, nodeName: string, attempt: number): Record<string, string> => ({
  ...ownerLabels(pod, nodeName),
  [labels.type]: 'sandbox',
  [labels.attempt]: String(attempt),
});

export const containerLabels = (
  pod: Pod,
  nodeName: string,
  container: Container,
  start: { attempt: number; backoffMs: number },
): Record<string, string> => ({
  ...ownerLabels(pod, nodeName),
  [labels.type]: 'container',
  [labels.containerName]: container.name,
  [labels.attempt]: String(start.attempt),
  [labels.specHash]: specHash(container),
  [podLabels.backoffMs]: String(start.backoffMs),
  [podLabels.resources]: JSON.stringify(container.resources ?? {}),
});

/**
 * Changes when a running container no longer is what its spec says. Only the image of a container may be changed, so
 * only the image counts: another version of the agent, or of a default, never restarts anything.
 */
export const specHash = (container: Container): string =>
  createHash('sha256')
    .update(JSON.stringify([container.name, container.image]))
    .digest('hex')
    .slice(0, 16);

const intLabel = (state: { labels: Record<string, string> }, label: string): number => {
  const value = Number.parseInt(state.labels[label] ?? '', 10);
  return Number.isFinite(value) && value >= 0 ? value : 0;
};

export const attemptOf = (state: ContainerState | SandboxState): number => intLabel(state, labels.attempt);
export const backoffMsOf = (state: ContainerState): number => intLabel(state, podLabels.backoffMs);
export const containerNameOf = (state: ContainerState): string => state.labels[labels.containerName] ?? '';
export const uidOf = (state: ContainerState | SandboxState): string => state.labels[labels.podUid] ?? '';

/** Seconds between the stop signal and SIGKILL; 30 unless the pod says otherwise. */
export const graceSecondsOf = (pod: Pod): number =>
  pod.metadata.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30;

/** What is left of a pod whose API object is gone: enough to end it with its grace. */
export function podFromLabels(state: ContainerState | SandboxState, now: Date): Pod {
  return {
    metadata: {
      uid: uidOf(state),
      name: state.labels[labels.podName] ?? '',
      namespace: state.labels[labels.podNamespace] ?? '',
      deletionTimestamp: now.toISOString(),
      deletionGracePeriodSeconds:
        podLabels.graceSeconds in state.labels ? intLabel(state, podLabels.graceSeconds) : 30,
    },
    spec: { containers: [] },
  };
}
