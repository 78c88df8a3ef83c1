/**
 * The thin side of `computeActions`: one executor per step, in a table the compiler keeps complete. Executors change
 * the world and write what they did into the record, so that the next plan moves on; they decide nothing.
 */
import type { Pod } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import type { PodNetwork } from '../network/network.js';
import type { Runtime, SandboxState } from '../runtime/runtime.js';
import type { Step } from './actions.js';
import { type Gate, priorities } from './gate.js';
import type { KillContainer } from './kill.js';
import { containerNameOf } from './names.js';
import type { PodCgroups, PodEvents, PodVolumes } from './needs.js';
import { toPodSandbox } from './networking.js';
import { isRunning } from './observed.js';
import type { PodRecord } from './record.js';
import type { ResizePod } from './resizing.js';
import type { Startup } from './startup.js';

export interface StepContext {
  pod: Pod;
  record: PodRecord;
  signal: AbortSignal;
  log: Logger;
}

export type Execute = (step: Step, context: StepContext) => Promise<void>;

export type Executors = {
  [K in Step['do']]: (step: Extract<Step, { do: K }>, context: StepContext) => Promise<void>;
};

export interface ExecutorOptions {
  runtime: Runtime;
  network: PodNetwork;
  volumes: PodVolumes;
  cgroups: PodCgroups;
  startup: Startup;
  kill: KillContainer;
  resize: ResizePod;
  events: PodEvents;
  gate: Gate;
  clock: Clock;
  /** Sends the last status and deletes the object; retries by itself. */
  deleteObject(pod: Pod, record: PodRecord): void;
  /** Removes the agent's own files of the pod. */
  removePodDirectory(uid: string): Promise<void>;
}

export function createExecutors(options: ExecutorOptions): Execute {
  const { runtime, network, gate } = options;

  /** A call that comes back as an event. */
  const remove = (record: PodRecord, call: () => Promise<void>): Promise<void> =>
    gate.run(priorities.remove, () => {
      record.expectEcho(options.clock.monotonicMs());
      return call();
    });

  /** Waits for its turn and holds no place: what follows may hang on somebody else's file system or plugin. */
  const afterOthers = (): Promise<void> => gate.run(priorities.tidy, async () => undefined);

  const tearDownNetwork = async (sandbox: SandboxState, { pod, record }: StepContext): Promise<void> => {
    if (!pod.spec?.hostNetwork) await network.tearDown(toPodSandbox(pod, sandbox));
    if (record.network?.sandboxId === sandbox.id) record.network = undefined;
  };

  const table: Executors = {
    startSandbox: (step, context) => options.startup.startPod(step, context),
    startContainer: (step, context) => options.startup.startContainer(step, context),
    setUpNetwork: async ({ sandbox }, context) => {
      await options.startup.setUpNetwork(sandbox, context);
    },
    killContainer: async (step, context) => options.kill(step, context),
    removeContainer: async ({ id }, { record }) => {
      await remove(record, () => runtime.removeContainer(id));
      record.containers.delete(id);
    },
    stopSandbox: async ({ sandbox }, context) => {
      await tearDownNetwork(sandbox, context);
      await remove(context.record, () => runtime.stopSandbox(sandbox.id, 0));
      const stopped: SandboxState = { ...sandbox, state: 'exited', pid: 0, networkNamespace: '' };
      context.record.sandboxes.set(sandbox.id, stopped);
    },
    removeSandbox: async ({ sandbox }, context) => {
      const { pod, record } = context;
      const inside = [...record.containers.values()].filter(({ sandboxId }) => sandboxId === sandbox.id);
      for (const state of inside) {
        if (!isRunning(state) || record.killing.has(state.id)) continue;
        const name = containerNameOf(state);
        options.events.record(pod, 'Normal', 'Killing', `Stopping container ${name}`, name);
      }
      await remove(record, () => runtime.removeSandbox(sandbox.id));
      // A failure or a crash from here on leaves the network's own record, by which the next sweep gives it back.
      await afterOthers();
      await tearDownNetwork({ ...sandbox, state: 'exited', pid: 0, networkNamespace: '' }, context);
      record.sandboxes.delete(sandbox.id);
      for (const { id } of inside) record.containers.delete(id);
    },
    resize: (step, context) => options.resize(step, context),
    beginRun: async ({ earlierRun, message }, { pod, record }) => {
      record.earlierRun = earlierRun;
      record.isCheckpointDue = true;
      options.events.record(pod, 'Normal', 'RestartAllContainers', message);
    },
    finish: async (_step, { pod, record }) => {
      await afterOthers();
      await options.volumes.tearDown(record.uid);
      await options.removePodDirectory(record.uid);
      await options.cgroups.removePod(record.uid);
      options.deleteObject(pod, record);
      record.isFinished = true;
    },
    wakeAt: async () => undefined,
  };

  return (step, context) => {
    const run = table[step.do] as (step: Step, context: StepContext) => Promise<void>;
    return run(step, context);
  };
}
