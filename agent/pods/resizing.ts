/**
 * Carries out a resize: the pod's cgroup is raised first, then the containers change, then the pod's cgroup goes down to
 * what they have now. A memory limit below what is in use is not tried: the kernel would kill for it. What fails is
 * noted in the record and tried again; the order makes every point in between a safe place to die.
 */
import { toBytes } from '../../src/api/quantity.js';
import type { Pod } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Step } from './actions.js';
import type { StepContext } from './executors.js';
import type { PodCgroups, PodEvents } from './needs.js';
import { specOf } from './observed.js';
import { largerOf, toldOf, withAllocation } from './resources.js';

const retryMs = 10_000;

export type ResizePod = (step: Extract<Step, { do: 'resize' }>, context: StepContext) => Promise<void>;

export function createResizing(options: {
  runtime: Runtime;
  cgroups: PodCgroups;
  events: PodEvents;
  clock: Clock;
}): ResizePod {
  const { runtime, cgroups, events, clock } = options;

  async function resize(
    { containers }: Parameters<ResizePod>[0],
    { pod, record }: StepContext,
  ): Promise<void> {
    const observed = record.observed();
    const between = Object.fromEntries(
      containers.map(({ id, container }) => {
        const state = record.containers.get(id);
        const told = state && toldOf(observed, state);
        return [container, largerOf(told, specOf(pod, container)?.resources)];
      }),
    );
    await cgroups.ensurePod(withAllocation(pod, between));
    for (const { id, container } of containers) {
      const spec = specOf(pod, container);
      const state = record.containers.get(id);
      if (!spec || !state) continue;
      await refuseBelowUsage(id, spec.resources?.limits?.['memory']);
      await runtime.updateContainer(id, cgroups.resourcesOf(pod, spec));
      record.applied.set(id, spec.resources ?? {});
    }
    await cgroups.ensurePod(pod);
  }

  async function refuseBelowUsage(id: string, limit: string | undefined): Promise<void> {
    if (limit === undefined) return;
    const usage = (await runtime.stats(id))?.memoryWorkingSetBytes ?? 0;
    if (usage >= toBytes(limit)) {
      throw new Error(
        `cannot decrease memory limits: attempting to set it to ${limit}, with ${usage} bytes in use`,
      );
    }
  }

  return async (step, context) => {
    const { pod, record, log } = context;
    const hadFailed = record.resizeFailure?.message;
    try {
      await resize(step, context);
      record.resizeFailure = undefined;
      events.record(pod, 'Normal', 'ResizeCompleted', `Pod resize completed: ${summaryOf(pod)}`);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      record.resizeFailure = { message, retryAt: new Date(clock.now().getTime() + retryMs) };
      if (message === hadFailed) return;
      log.warn({ err: error }, 'cannot resize pod, will retry');
      events.record(pod, 'Warning', 'ResizeError', `Pod resize error: ${message}`);
    }
  };
}

/** The containers' resources and the generation they are of, as one line of JSON. */
export const summaryOf = ({ metadata, spec }: Pod): string =>
  JSON.stringify({
    containers: (spec?.containers ?? []).map(({ name, resources }) => ({ name, resources })),
    generation: metadata.generation,
  });
