/**
 * 7. Brings a pod up with as little waiting as the runtime allows. What does not depend on each other runs together:
 *
 *   cgroup -> create sandbox -> start sandbox -> network -+
 *   volumes, image, env ----+-> create container ---------+-> write /etc/hosts -> start container
 *
 * A container whose environment names the pod's address is made after the network. Everything here may be cut off at
 * any instruction: what it leaves half-made is found by the next plan and removed.
 */
import type { Container, Pod } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import type { PodNetwork } from '../network/network.js';
import { type Runtime, RuntimeError, type SandboxState } from '../runtime/runtime.js';
import type { ContainerStart, Step } from './actions.js';
import type { StepContext } from './executors.js';
import { type Gate, priorities } from './gate.js';
import type { HostFiles } from './hostfiles.js';
import { containerLabels, podName, podNamespace, podUid } from './names.js';
import { ConfigError, type PodCgroups, type PodEvents, type PodVolumes, VolumeError } from './needs.js';
import { toPodSandbox } from './networking.js';
import { sandboxObstacle, specOf } from './observed.js';
import { needsPodIp, type PrepareContainer } from './preparation.js';
import type { PodRecord } from './record.js';
import type { PrepareSandbox } from './sandbox.js';

export interface StartupOptions {
  runtime: Runtime;
  network: PodNetwork;
  volumes: PodVolumes;
  cgroups: PodCgroups;
  hostFiles: HostFiles;
  prepare: PrepareContainer;
  prepareSandbox: PrepareSandbox;
  events: PodEvents;
  gate: Gate;
  clock: Clock;
  nodeName: string;
  hostIPs: readonly string[];
  /** Runs in the background once a container runs: its postStart hook. */
  afterStart(pod: Pod, spec: Container, id: string, record: PodRecord): void;
}

export interface Startup {
  startPod(step: Extract<Step, { do: 'startSandbox' }>, context: StepContext): Promise<void>;
  startContainer(step: Extract<Step, { do: 'startContainer' }>, context: StepContext): Promise<void>;
  setUpNetwork(sandbox: SandboxState, context: StepContext): Promise<readonly string[]>;
}

/** Where a container will live: known at once for a running sandbox, later for one that is being made. */
interface Home {
  sandboxId: Promise<string>;
  /** Addresses of the pod, once its network is up. */
  ips: Promise<readonly string[]>;
}

export function createStartup(options: StartupOptions): Startup {
  const { runtime, gate, events, clock, nodeName } = options;

  /** A call that comes back as an event. */
  const echoing = <T>(record: PodRecord, priority: number, call: () => Promise<T>): Promise<T> =>
    gate.run(priority, () => {
      record.expectEcho(clock.monotonicMs());
      return call();
    });

  async function startPod(step: Extract<Step, { do: 'startSandbox' }>, context: StepContext): Promise<void> {
    const { pod, record, signal } = context;
    const prepared = Promise.all([options.volumes.prepare(pod, signal), prepareHostFiles(pod)]);
    prepared.catch(() => undefined);
    const sandboxId = createSandbox(step.attempt, context);
    // The cgroup has to be there with its limits before anything runs in it, not before it is made.
    const cgroup = options.cgroups.ensurePod(pod);
    cgroup.catch(() => undefined);
    const ips = sandboxId.then(async (id) => {
      await cgroup;
      const sandbox = await echoing(record, priorities.startSandbox, () => runtime.startSandbox(id));
      record.sandboxes.set(id, sandbox);
      record.obstacles.delete(sandboxObstacle);
      record.failures.delete(sandboxObstacle);
      return setUpNetwork(sandbox, context);
    });
    ips.catch(() => undefined);
    const home = { sandboxId, ips };
    await allOrFirstError([
      ips.catch((error: unknown) => {
        if (!(error instanceof RuntimeError && error.kind === 'conflict')) {
          const text = `Failed to create pod sandbox: ${messageOf(error)}`;
          events.record(pod, 'Warning', 'FailedCreatePodSandBox', text);
          if (reasonOf(error)) obstruct(record, sandboxObstacle, 'FailedCreatePodSandBox', text);
        }
        throw error;
      }),
      prepared.catch((error: unknown) => reportMount(pod, error)),
      ...step.containers.map(async (start) => {
        await prepared;
        await makeAndStart(start, home, context);
      }),
    ]);
  }

  /** Warnings about the pod's files are told once for each of its sandboxes. */
  async function prepareHostFiles(pod: Pod): Promise<void> {
    for (const { reason, message } of await options.hostFiles.prepare(pod))
      events.record(
        pod,
        'Warning',
        reason,
        `pod: "${podName(pod)}_${podNamespace(pod)}(${podUid(pod)})". ${message}`,
      );
  }

  async function createSandbox(attempt: number, { pod, record }: StepContext): Promise<string> {
    const spec = await options.prepareSandbox(pod, attempt);
    const id = await gate.run(priorities.createSandbox, () => runtime.createSandbox(spec));
    const { name, labels } = spec;
    record.sandboxes.set(id, {
      id,
      name,
      labels,
      state: 'created',
      createdAt: clock.now(),
      pid: 0,
      networkNamespace: '',
    });
    return id;
  }

  async function setUpNetwork(
    sandbox: SandboxState,
    { pod, record, signal }: StepContext,
  ): Promise<readonly string[]> {
    const { ips } = pod.spec?.hostNetwork
      ? { ips: options.hostIPs }
      : await options.network.setUp(toPodSandbox(pod, sandbox), signal);
    record.network = { sandboxId: sandbox.id, ips };
    return ips;
  }

  async function startContainer(
    step: Extract<Step, { do: 'startContainer' }>,
    context: StepContext,
  ): Promise<void> {
    const { pod, record, signal } = context;
    try {
      await Promise.all([options.volumes.prepare(pod, signal), options.hostFiles.prepare(pod)]);
    } catch (error) {
      reportMount(pod, error);
    }
    const ips = Promise.resolve(record.network?.ips ?? []);
    await makeAndStart(step, { sandboxId: Promise.resolve(step.sandboxId), ips }, context);
  }

  function reportMount(pod: Pod, error: unknown): never {
    if (error instanceof VolumeError) {
      events.record(
        pod,
        'Warning',
        'FailedMount',
        `MountVolume.SetUp failed for volume "${error.volume}" : ${error.message}`,
      );
    }
    throw error;
  }

  async function makeAndStart(start: ContainerStart, home: Home, context: StepContext): Promise<void> {
    const { pod, record } = context;
    const spec = specOf(pod, start.container);
    if (!spec) return;
    const id = await make(spec, start, home, context);
    if (id === undefined) return;
    const ips = await home.ips;
    await options.hostFiles.writeHosts(pod, ips);
    try {
      await echoing(record, priorities.startContainer, () => runtime.startContainer(id));
    } catch (error) {
      if (error instanceof RuntimeError && (error.kind === 'unavailable' || error.kind === 'notFound'))
        throw error;
      events.record(pod, 'Warning', 'Failed', `Error: ${messageOf(error)}`, spec.name);
      record.isStale = true;
      return;
    }
    const made = record.containers.get(id);
    if (made) record.containers.set(id, { ...made, state: 'running', startedAt: clock.now() });
    record.obstacles.delete(spec.name);
    record.failures.delete(spec.name);
    events.record(pod, 'Normal', 'Started', `Started container ${spec.name}`, spec.name);
    options.afterStart(pod, spec, id, record);
  }

  /** Creates the container; undefined when something stands in its way, which is then noted as its obstacle. */
  async function make(
    spec: Container,
    start: ContainerStart,
    home: Home,
    context: StepContext,
  ): Promise<string | undefined> {
    const { pod, record } = context;
    try {
      const ips = needsPodIp(spec) ? await home.ips : [];
      const prepared = await options.prepare({ spec, start, ips }, context);
      if (!prepared) return undefined;
      const sandboxId = await home.sandboxId;
      const id = await gate.run(priorities.createContainer, () =>
        runtime.createContainer(sandboxId, prepared),
      );
      record.containers.set(id, {
        id,
        sandboxId,
        name: prepared.name,
        labels: containerLabels(pod, nodeName, spec, {
          attempt: start.attempt,
          backoffMs: start.nextBackoffMs,
        }),
        image: prepared.image,
        imageId: prepared.image,
        state: 'created',
        createdAt: clock.now(),
        startedAt: undefined,
        finishedAt: undefined,
        exitCode: undefined,
        oomKilled: false,
        error: '',
        pid: 0,
        logPath: undefined,
      });
      events.record(pod, 'Normal', 'Created', `Created container: ${spec.name}`, spec.name);
      return id;
    } catch (error) {
      const reason = reasonOf(error);
      if (!reason) throw error;
      obstruct(record, spec.name, reason, messageOf(error));
      events.record(pod, 'Warning', 'Failed', `Error: ${messageOf(error)}`, spec.name);
      return undefined;
    }
  }

  /** Tried again after 1 s, 2 s, ... 60 s, and whenever something the pod refers to changes. */
  function obstruct(record: PodRecord, name: string, reason: string, message: string): void {
    const failures = (record.failures.get(name) ?? 0) + 1;
    record.failures.set(name, failures);
    const delayMs = Math.min(1000 * 2 ** (failures - 1), 60_000);
    record.obstacles.set(name, { reason, message, retryAt: new Date(clock.now().getTime() + delayMs) });
  }

  return { startPod, startContainer, setUpNetwork };
}

/** The waiting reason of a container that cannot be made; undefined for what has nothing to do with its spec. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof ConfigError) return 'CreateContainerConfigError';
  if (!(error instanceof RuntimeError)) return undefined;
  return error.kind === 'invalid' || error.kind === 'failed' ? 'CreateContainerError' : undefined;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Waits for all, so that nothing goes on behind the worker's back; then rejects with the first error. */
async function allOrFirstError(promises: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(promises);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}
