/**
 * 8. Containers of a CRI runtime. Used by cri.ts.
 *
 * A list of CRI leaves out half of what a state is; the rest is asked for per container, and kept as long as the list
 * says the same state: neither a running nor an ended container changes.
 */
import { rm } from 'node:fs/promises';
import { constants } from 'node:os';
import { createBackoff } from '../../../src/client/backoff.js';
import type { Clock } from '../../../src/host/clock.js';
import { sendSignal } from '../processes.js';
import {
  type ContainerSpec,
  type ContainerState,
  type ContainerStats,
  type LinuxResources,
  labels,
  RuntimeError,
} from '../runtime.js';
import { type CriClient, deadlines } from './client.js';
import { despiteEnd, isKind, unlessMissing } from './errors.js';
import type { Container, ContainerStatus } from './generated/protocol.js';
import type { CriImages } from './images.js';
import { logFiles } from './logs.js';
import type { Owners } from './owners.js';
import type { LogOwner } from './rotation.js';
import type { CriSandboxes } from './sandboxes.js';
import {
  annotations,
  containerConfig,
  containerLogPath,
  resources,
  type Surroundings,
  sandboxConfig,
} from './spec.js';
import { containerState, pidIn, selectorOf } from './state.js';

export interface ContainersOptions {
  client: CriClient;
  node: string;
  owners: Owners;
  sandboxes: CriSandboxes;
  images: CriImages;
  clock: Clock;
  surroundings(): Promise<Surroundings>;
}

export class CriContainers implements LogOwner {
  readonly #options: ContainersOptions;
  readonly #known = new Map<string, { listed: ContainerStatus['state']; state: ContainerState }>();

  constructor(options: ContainersOptions) {
    this.#options = options;
  }

  async create(sandboxId: string, wanted: ContainerSpec): Promise<string> {
    const { client, owners, sandboxes } = this.#options;
    const [home, around, spec] = await Promise.all([
      sandboxes.home(sandboxId),
      this.#options.surroundings(),
      this.#withImageUser(wanted),
    ]);
    // A privileged container needs a sandbox that says so, also where a debugger comes to a pod that has none yet.
    const privileged = spec.security.privileged || home.remembered.security?.privileged || false;
    const remembered = { ...home.remembered, security: { ...home.remembered.security, privileged } };
    const request = {
      podSandboxId: sandboxId,
      config: containerConfig(spec, { ...remembered, id: sandboxId }, around),
      sandboxConfig: sandboxConfig(home.labels, { ...remembered, name: home.name }, around),
    };
    const { containerId } = await client.call('createContainer', request, deadlines.slow);
    owners.note('container', { id: containerId, labels: spec.labels });
    return containerId;
  }

  /** A group alone is no user to CRI: the image's goes with it. */
  async #withImageUser(spec: ContainerSpec): Promise<ContainerSpec> {
    const { user } = spec.security;
    if (!user?.startsWith(':')) return spec;
    const image = await this.#options.images.inspect(spec.image);
    return { ...spec, security: { ...spec.security, user: `${image?.user || '0'}${user}` } };
  }

  async start(id: string): Promise<void> {
    try {
      await this.#options.client.call('startContainer', { containerId: id }, deadlines.slow);
    } catch (error) {
      if (isKind(error, 'conflict') && (await this.isRunning(id))) return;
      throw error;
    }
  }

  async stop(id: string, graceMs: number): Promise<void> {
    const hasWaited = graceMs > 0 && (await this.#endByOwnSignal(id, graceMs));
    const leftMs = hasWaited ? 0 : graceMs;
    const request = { containerId: id, timeout: Math.ceil(leftMs / 1000) };
    const { client } = this.#options;
    await unlessMissing(despiteEnd(() => client.call('stopContainer', request, leftMs + deadlines.slow)));
  }

  /**
   * CRI before 1.33 knows no stop signal but the image's: where a container has its own, it is sent from here, and the
   * grace period is waited for here too. False when there is none.
   */
  async #endByOwnSignal(id: string, graceMs: number): Promise<boolean> {
    const { clock } = this.#options;
    const found = await this.#status(id);
    const signal = found?.status.annotations[annotations.stopSignal];
    if (!found || signal === undefined || found.state.pid === 0) return false;
    sendSignal(found.state.pid, signalNumber(signal));
    const deadlineMs = clock.monotonicMs() + graceMs;
    const wait = createBackoff({ minMs: 10, maxMs: 500 });
    while (clock.monotonicMs() < deadlineMs && (await this.isRunning(id))) {
      await clock.sleep(
        Math.min(wait.next(), deadlineMs - clock.monotonicMs()),
        new AbortController().signal,
      );
    }
    return true;
  }

  async remove(id: string): Promise<void> {
    const { client, clock, surroundings } = this.#options;
    const found = await this.inspect(id);
    if (!found) return;
    for (const file of await logFiles(containerLogPath((await surroundings()).logRoot, found.labels))) {
      await rm(file, { force: true });
    }
    const request = { containerId: id };
    await unlessMissing(client.call('removeContainer', request, deadlines.slow)).catch(
      async (error: unknown) => {
        if (!isKind(error, 'conflict')) throw error;
        // Someone else removes it at this moment; wait until it is gone.
        const wait = createBackoff({ minMs: 10, maxMs: 1000 });
        const deadlineMs = clock.monotonicMs() + deadlines.quick;
        while (await this.inspect(id)) {
          if (clock.monotonicMs() > deadlineMs) throw error;
          await clock.sleep(wait.next(), new AbortController().signal);
        }
      },
    );
    this.#known.delete(id);
  }

  async update(id: string, limits: LinuxResources): Promise<void> {
    // No runtime changes the oom_score_adj of a process that runs.
    const { oomScoreAdj: _, ...changeable } = limits;
    const linux = resources(changeable, await this.#options.surroundings());
    await unlessMissing(
      this.#options.client.call('updateContainerResources', { containerId: id, linux }, deadlines.slow),
    );
  }

  async inspect(id: string): Promise<ContainerState | undefined> {
    return (await this.#status(id))?.state;
  }

  async list(podUid?: string): Promise<ContainerState[]> {
    const { client, node, owners } = this.#options;
    const filter = { labelSelector: selectorOf('container', node, podUid) };
    const { containers } = await client.call('listContainers', { filter }, deadlines.quick);
    if (podUid === undefined) {
      owners.noteAll('container', containers);
      const ids = new Set(containers.map(({ id }) => id));
      for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
    }
    const states = await Promise.all(containers.map((found) => this.#complete(found)));
    return states.filter((state) => state !== undefined);
  }

  async isRunning(id: string): Promise<boolean> {
    const answer = await unlessMissing(
      this.#options.client.call('containerStatus', { containerId: id }, deadlines.quick),
    );
    return answer?.status?.state === 'CONTAINER_RUNNING';
  }

  /** `undefined` when it does not run or is gone. */
  async stats(id: string): Promise<ContainerStats | undefined> {
    if (!(await this.isRunning(id))) return undefined;
    const { stats } = await this.#options.client.call('containerStats', { containerId: id }, deadlines.quick);
    if (!stats?.cpu || !stats.memory) return undefined;
    return {
      cpuNanos: stats.cpu.usageCoreNanoSeconds?.value ?? 0,
      memoryWorkingSetBytes: stats.memory.workingSetBytes?.value ?? 0,
    };
  }

  async writableLayerBytes(): Promise<ReadonlyMap<string, number>> {
    const { client, node } = this.#options;
    const filter = { labelSelector: selectorOf('container', node) };
    const { stats } = await client.call('listContainerStats', { filter }, deadlines.slow);
    return new Map(
      stats.map(({ attributes, writableLayer }) => [
        attributes?.id ?? '',
        writableLayer?.usedBytes?.value ?? 0,
      ]),
    );
  }

  async runningLogs(): Promise<{ id: string; path: string }[]> {
    const { client, node, surroundings } = this.#options;
    const state = { state: 'CONTAINER_RUNNING' } as const;
    const filter = { labelSelector: selectorOf('container', node), state };
    const { containers } = await client.call('listContainers', { filter }, deadlines.quick);
    const { logRoot } = await surroundings();
    return containers.map((found) => ({ id: found.id, path: containerLogPath(logRoot, found.labels) }));
  }

  async reopenLog(id: string): Promise<void> {
    await unlessMissing(
      this.#options.client.call('reopenContainerLog', { containerId: id }, deadlines.quick),
    );
  }

  /** The state that is known already, when it cannot have changed. */
  async #complete(found: Container): Promise<ContainerState | undefined> {
    const known = this.#known.get(found.id);
    return known?.listed === found.state ? known.state : this.inspect(found.id);
  }

  /** `undefined` when it is gone, or is another agent's. */
  async #status(id: string): Promise<{ status: ContainerStatus; state: ContainerState } | undefined> {
    const { client, node, owners } = this.#options;
    const known = this.#known.get(id);
    const request = { containerId: id, verbose: known === undefined };
    const answer = await unlessMissing(client.call('containerStatus', request, deadlines.quick));
    const status = answer?.status;
    if (!status || status.labels[labels.node] !== node) return undefined;
    owners.note('container', status);
    const isSteady = status.state === 'CONTAINER_RUNNING' || status.state === 'CONTAINER_EXITED';
    const pid = known?.state.pid || pidIn(answer.info);
    const state = containerState(status, pid);
    if (isSteady) this.#known.set(id, { listed: status.state, state });
    return { status, state };
  }
}

/** A name as Kubernetes writes it, real-time signals included. */
function signalNumber(name: string): number {
  const [, base, offset = '0'] = /^SIGRT(MIN|MAX)([+-]\d+)?$/.exec(name) ?? [];
  if (base !== undefined) return (base === 'MIN' ? 34 : 64) + Number(offset);
  const known: Readonly<Record<string, number>> = constants.signals;
  const found = known[name];
  if (found === undefined) throw new RuntimeError('invalid', `${name} is no signal`);
  return found;
}
