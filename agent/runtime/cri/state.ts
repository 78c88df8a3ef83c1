/**
 * 8. What CRI tells, in our words. Pure. Called by cri.ts.
 *
 * What a list leaves out (process id, addresses, times) comes from the status; the process id only from its verbose
 * form, which is JSON in a string.
 */
import { type ContainerState, labels, type SandboxState } from '../runtime.js';
import type { ContainerStatus, PodSandbox, PodSandboxStatus } from './generated/protocol.js';
import { annotations, type Remembered } from './spec.js';

/** Nanoseconds since 1970, 0 for never. */
const date = (nanos: number): Date | undefined => (nanos > 0 ? new Date(nanos / 1e6) : undefined);
const epoch = new Date(0);

/** What does not change while a sandbox runs. */
export interface SandboxFacts {
  pid: number;
  ips: readonly string[];
}

export function sandboxState(
  found: Pick<PodSandbox, 'id' | 'state' | 'createdAt' | 'labels' | 'annotations'>,
  facts: SandboxFacts,
): SandboxState {
  const isRunning = found.state === 'SANDBOX_READY';
  const isOwn = isRunning && facts.pid > 0 && rememberedOf(found).network !== 'host';
  return {
    id: found.id,
    name: found.annotations[annotations.name] ?? '',
    labels: found.labels,
    state: isRunning ? 'running' : 'exited',
    createdAt: date(found.createdAt) ?? epoch,
    pid: isRunning ? facts.pid : 0,
    networkNamespace: isOwn ? `/proc/${facts.pid}/ns/net` : '',
    ips: isRunning ? facts.ips : [],
  };
}

export const addressesOf = ({ network }: PodSandboxStatus): string[] =>
  [network?.ip ?? '', ...(network?.additionalIps ?? []).map(({ ip }) => ip)].filter((ip) => ip !== '');

/** Of a sandbox that carries our annotation. */
export function rememberedOf(found: Pick<PodSandbox, 'annotations'>): Remembered {
  const text = found.annotations[annotations.sandbox];
  if (text !== undefined) return JSON.parse(text) as Remembered;
  return { hostname: '', network: 'pod', pid: 'container', ipc: 'pod', cgroupParent: '' };
}

/** The process id in a verbose answer. */
export function pidIn(info: Readonly<Record<string, string>>): number {
  const text = info['info'];
  if (text === undefined) return 0;
  const { pid }: { pid?: number } = JSON.parse(text);
  return pid ?? 0;
}

/**
 * `runtime.v1` has no code for a start that failed; containerd says 128. A command that is not there is 127 and one that
 * cannot be executed 126, as in a shell and as other runtimes report it.
 */
function exitCodeOf({ exitCode, reason, message }: ContainerStatus): number {
  if (reason !== 'StartError') return exitCode;
  if (/executable file not found|no such file or directory/.test(message)) return 127;
  return /permission denied|exec format error/.test(message) ? 126 : exitCode;
}

/** The start is noted a moment late, so that a short-lived process may seem to end before it. */
const later = (a: Date, b: Date | undefined): Date => (b && b > a ? b : a);

/** `pid` counts while it runs. */
export function containerState(found: ContainerStatus, pid: number): ContainerState {
  const state = stateOf(found.state);
  const failedToStart = found.reason === 'StartError';
  const startedAt = failedToStart || state === 'created' ? undefined : date(found.startedAt);
  const createdAt = date(found.createdAt) ?? epoch;
  return {
    id: found.id,
    name: found.annotations[annotations.name] ?? '',
    labels: found.labels,
    state,
    createdAt,
    sandboxId: found.annotations[annotations.sandboxId] ?? '',
    image: found.image?.image ?? '',
    imageId: found.imageRef,
    startedAt,
    finishedAt: state === 'exited' ? later(date(found.finishedAt) ?? createdAt, startedAt) : undefined,
    exitCode: state === 'exited' ? exitCodeOf(found) : undefined,
    oomKilled: found.reason === 'OOMKilled',
    // `Completed` and `Error` have no message; a start that failed has one.
    error: failedToStart || state !== 'exited' ? found.message : '',
    pid: state === 'running' ? pid : 0,
    logPath: found.logPath || undefined,
  };
}

/** A container whose process the runtime has lost is ended before it is replaced: removing kills what is left of it. */
function stateOf(state: ContainerStatus['state']): ContainerState['state'] {
  if (state === 'CONTAINER_CREATED') return 'created';
  return state === 'CONTAINER_RUNNING' ? 'running' : 'exited';
}

/** Filter of a list: ours only, of this node, of this kind, perhaps of one pod. */
export const selectorOf = (
  type: 'sandbox' | 'container',
  node: string,
  podUid?: string,
): Record<string, string> => ({
  [labels.type]: type,
  [labels.node]: node,
  ...(podUid !== undefined && { [labels.podUid]: podUid }),
});
