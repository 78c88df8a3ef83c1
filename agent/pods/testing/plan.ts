/**
 * Short words for the tests of the plan: pods, what is observed of them, and the steps that follow.
 */
import type { Container, Pod } from '../../../src/api/types.js';
import { pod as build } from '../../../src/testing/builders.js';
import { type ContainerState, labels, type SandboxState } from '../../runtime/runtime.js';
import { computeActions, type Step } from '../actions.js';
import { containerLabels } from '../names.js';
import { nothingObserved, type Observed } from '../observed.js';

export const now = new Date('2026-01-01T01:00:00Z');
export const before = (seconds: number): Date => new Date(now.getTime() - seconds * 1000);

export const app: Container = { name: 'app', image: 'app:1' };
export const podOf = (
  spec: Partial<NonNullable<Pod['spec']>> = {},
  meta: Record<string, unknown> = {},
  status: Pod['status'] = {},
): Pod => build('web', { meta: { uid: 'u1', ...meta }, spec: { containers: [app], ...spec }, status });

export const sandbox = (state: SandboxState['state'] = 'running', attempt = 0): SandboxState => ({
  id: `s${attempt}`,
  name: '',
  labels: { [labels.attempt]: String(attempt), [labels.podUid]: 'u1' },
  state,
  createdAt: before(600 - attempt),
  pid: 1,
  networkNamespace: '/proc/1/ns/net',
});

export interface Made {
  spec?: Container;
  attempt?: number;
  sandboxId?: string;
  exit?: number;
  /** Seconds it ran, and since when it is over. */
  ran?: number;
  ended?: number;
  backoffMs?: number;
  state?: ContainerState['state'];
  error?: string;
}

export function container(made: Made = {}): ContainerState {
  const { spec = app, attempt = 0, ended = 1, ran = 1, backoffMs = 0 } = made;
  const state = made.state ?? (made.exit === undefined ? 'running' : 'exited');
  const isOver = state === 'exited';
  return {
    id: `${spec.name}${attempt}`,
    sandboxId: made.sandboxId ?? 's0',
    name: '',
    labels: containerLabels(podOf(), 'n', spec, { attempt, backoffMs }),
    image: '',
    imageId: 'sha256:1',
    state,
    createdAt: before(ended + ran),
    startedAt: state === 'created' || made.error ? undefined : before(ended + ran),
    finishedAt: isOver ? before(ended) : undefined,
    exitCode: made.exit,
    oomKilled: false,
    error: made.error ?? '',
    pid: 0,
    logPath: undefined,
  };
}

export const seen = (containers: ContainerState[], more: Partial<Observed> = {}): Observed => ({
  ...nothingObserved,
  sandboxes: [sandbox()],
  network: { sandboxId: 's0', ips: ['10.0.0.1'] },
  containers,
  ...more,
});

/** Steps as short words: `start app 1`, `kill app0`, `wake +10`. */
export const words = (steps: Step[]): string[] =>
  steps.map((step) => {
    switch (step.do) {
      case 'startSandbox':
        return `sandbox ${step.attempt} with ${step.containers.map((start) => start.container).join('+')}`;
      case 'startContainer':
        return `start ${step.container} ${step.attempt} next ${step.nextBackoffMs / 1000}`;
      case 'killContainer':
        return `kill ${step.id} ${step.graceMs / 1000}`;
      case 'removeContainer':
        return `remove ${step.id}`;
      case 'wakeAt':
        return `wake ${(step.at.getTime() - now.getTime()) / 1000}`;
      case 'finish':
        return 'finish';
      case 'resize':
        return `resize ${step.containers.map(({ id }) => id).join('+')}`;
      case 'beginRun':
        return `begin ${JSON.stringify(step.earlierRun)}`;
      default:
        return `${step.do} ${step.sandbox.id}`;
    }
  });

export const plan = (pod: Pod, observed: Observed): string[] => words(computeActions(pod, observed, now));
