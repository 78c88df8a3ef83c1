/**
 * 8. Docker as a `Runtime`, through dockerode; Docker 20.10 and newer. A sandbox is a container of the built-in image
 * that holds the namespaces; containers join them. Made by the agent's composition root.
 *
 * Invariants: sees and touches only what carries our labels and this node's name. What Docker answers is judged in
 * docker-errors.ts and translated in docker-spec.ts; this file only orders the calls. Keeps nothing but a cache.
 */
import type { ContainerCreateOptions, ContainerInspectInfo } from 'dockerode';
import { type Clock, systemClock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import { DockerClient, deadlines } from './docker-client.js';
import { DeadlineExceeded, unless } from './docker-errors.js';
import { dockerEvents } from './docker-events.js';
import { DockerExec } from './docker-exec.js';
import { type DockerInfo, featuresOf } from './docker-features.js';
import { DockerImages } from './docker-images.js';
import { dockerLogs } from './docker-logs.js';
import { loadProfile } from './docker-security.js';
import {
  containerBody,
  containerState,
  listFilters,
  type Sharing,
  sandboxBody,
  sandboxIdLabel,
  sandboxState,
  sharingOf,
  updateBody,
} from './docker-spec.js';
import { dockerStats } from './docker-stats.js';
import {
  type ContainerSpec,
  type ContainerState,
  type ContainerStats,
  type ExecSpec,
  type ImageState,
  type LinuxResources,
  type LogLine,
  type LogOptions,
  type PullAuth,
  type Runtime,
  RuntimeError,
  type RuntimeEvent,
  type SandboxSpec,
  type SandboxState,
} from './runtime.js';

export interface DockerRuntimeOptions {
  /** `/var/run/docker.sock` */
  socketPath: string;
  /** Node name: several agents may share one Docker. */
  node: string;
  log: Logger;
  clock?: Clock;
  /** The lowest oom_score_adj the host lets Docker set (`readOomScoreFloor`); -1000 by default. */
  oomScoreFloor?: number;
}

export class DockerRuntime implements Runtime {
  readonly networkedBy = 'agent';
  readonly #client: DockerClient;
  readonly #node: string;
  readonly #log: Logger;
  readonly #oomFloor: number;
  readonly #images: DockerImages;
  readonly #exec: DockerExec;
  /** How containers join a sandbox; a cache, read anew from Docker after a restart. */
  readonly #sharing = new Map<string, Sharing>();
  /** The containers of sandboxes made by this process; not of one where a creation has an unknown outcome. */
  #known: DockerInfo | undefined;
  readonly #members = new Map<string, Set<string>>();
  /** Of containers that exist. Docker notes it only when it hears of it before it hears of the end. */
  readonly #oomKilled = new Set<string>();

  constructor(options: DockerRuntimeOptions) {
    this.#client = new DockerClient({ socketPath: options.socketPath, clock: options.clock ?? systemClock });
    this.#node = options.node;
    this.#log = options.log.child({ runtime: 'docker' });
    this.#oomFloor = options.oomScoreFloor ?? -1000;
    this.#images = new DockerImages(this.#client);
    this.#exec = new DockerExec(this.#client);
  }

  async version(): ReturnType<Runtime['version']> {
    const daemon = await this.#client.daemon();
    const info = await this.#facts();
    return {
      name: 'docker',
      version: daemon.Version,
      apiVersion: daemon.api.text,
      cgroupDriver: info.CgroupDriver === 'systemd' ? 'systemd' : 'cgroupfs',
      features: featuresOf(info, daemon.api),
    };
  }

  ensureSandboxImage(): Promise<void> {
    return this.#images.ensureSandbox();
  }

  async createSandbox(spec: SandboxSpec): Promise<string> {
    const seccomp = await loadProfile(spec.security?.seccomp);
    const body = sandboxBody(spec, { oomFloor: this.#oomFloor, seccomp });
    const id = await this.#create(body).catch(async (error: unknown) => {
      // Somebody removed unused images while no pod ran.
      if (!(error instanceof RuntimeError && error.kind === 'imageNotFound')) throw error;
      await this.ensureSandboxImage();
      return this.#create(body);
    });
    this.#sharing.set(id, { pid: spec.pid, ipc: spec.ipc, runtimeHandler: spec.runtimeHandler });
    this.#members.set(id, new Set());
    return id;
  }

  async startSandbox(id: string): Promise<SandboxState> {
    await this.startContainer(id);
    return sandboxState(
      await this.#client.call(deadlines.quick, (docker, abortSignal) =>
        docker.getContainer(id).inspect({ abortSignal }),
      ),
    );
  }

  /** Containers that still run in it are killed first: nothing may use its namespaces afterwards. */
  async stopSandbox(id: string, graceMs: number): Promise<void> {
    await Promise.all((await this.#idsIn(id)).map((container) => this.stopContainer(container, 0)));
    await this.stopContainer(id, graceMs);
  }

  /** All at once: nothing of it may live on, so no order is kept. */
  async removeSandbox(id: string): Promise<void> {
    const inside = [...(this.#members.get(id) ?? (await this.#idsIn(id)))];
    await Promise.all([...inside, id].map((container) => this.removeContainer(container)));
    this.#sharing.delete(id);
    this.#members.delete(id);
  }

  async listSandboxes(filter: { podUid?: string } = {}): Promise<SandboxState[]> {
    return (await this.#list('sandbox', filter.podUid)).map(sandboxState);
  }

  async inspectSandbox(id: string): Promise<SandboxState | undefined> {
    const info = await this.#inspect(id);
    return info && sandboxState(info);
  }

  async createContainer(sandboxId: string, spec: ContainerSpec): Promise<string> {
    const [sharing, seccomp, api] = await Promise.all([
      this.#sharingOf(sandboxId),
      loadProfile(spec.security.seccomp),
      this.#client.api(),
    ]);
    const body = containerBody(sandboxId, spec, { sharing, seccomp, api, oomFloor: this.#oomFloor });
    try {
      const id = await this.#create(body);
      this.#members.get(sandboxId)?.add(id);
      return id;
    } catch (error) {
      if (error instanceof RuntimeError && error.kind === 'unavailable') this.#members.delete(sandboxId);
      throw error;
    }
  }

  async startContainer(id: string): Promise<void> {
    await this.#client.call(deadlines.slow, (docker, abortSignal) =>
      unless([304], docker.getContainer(id).start({ abortSignal })),
    );
  }

  async stopContainer(id: string, graceMs: number): Promise<void> {
    const t = Math.ceil(graceMs / 1000);
    await this.#client.call(graceMs + deadlines.slow, (docker, abortSignal) =>
      unless([304, 404], docker.getContainer(id).stop({ t, abortSignal })),
    );
  }

  async removeContainer(id: string): Promise<void> {
    await this.#client.call(deadlines.slow, async (docker, abortSignal) => {
      const container = docker.getContainer(id);
      // 409: someone else removes it at this moment; wait until it is gone.
      const done = await unless(
        [404, 409],
        container.remove({ force: true, v: true, abortSignal }).then(() => true),
      );
      if (!done) await unless([404], container.wait({ condition: 'removed', abortSignal }));
    });
    this.#oomKilled.delete(id);
  }

  async updateContainer(id: string, limits: LinuxResources): Promise<void> {
    await this.#client.call(deadlines.slow, (docker, abortSignal) =>
      unless([404], docker.getContainer(id).update({ ...updateBody(limits), abortSignal })),
    );
  }

  async listContainers(filter: { podUid?: string } = {}): Promise<ContainerState[]> {
    return (await this.#list('container', filter.podUid)).map((info) => this.#containerState(info));
  }

  async inspectContainer(id: string): Promise<ContainerState | undefined> {
    const info = await this.#inspect(id);
    return info && this.#containerState(info);
  }

  #containerState(info: ContainerInspectInfo): ContainerState {
    const state = containerState(info);
    return this.#oomKilled.has(info.Id) ? { ...state, oomKilled: true } : state;
  }

  exec(id: string, spec: ExecSpec, signal: AbortSignal): Promise<number> {
    return this.#exec.run(id, spec, signal);
  }

  attach(id: string, spec: Omit<ExecSpec, 'command'>, signal: AbortSignal): Promise<void> {
    return this.#exec.attach(id, spec, signal);
  }

  logs(id: string, options: LogOptions): AsyncIterable<LogLine> {
    return dockerLogs(this.#client, id, options);
  }

  stats(id: string): Promise<ContainerStats | undefined> {
    return dockerStats(this.#client, id);
  }

  async writableLayerBytes(): Promise<ReadonlyMap<string, number>> {
    const filters = listFilters('container', this.#node);
    const found = await this.#client.call(deadlines.slow, (docker, abortSignal) =>
      docker.listContainers({ all: true, size: true, filters, abortSignal }),
    );
    // dockerode's types leave out what `size` adds.
    return new Map(found.map((info) => [info.Id, (info as { SizeRw?: number }).SizeRw ?? 0]));
  }

  async imageDirectory(): Promise<string> {
    return (await this.#facts()).DockerRootDir;
  }

  pullImage(reference: string, auth: PullAuth | undefined, signal: AbortSignal): Promise<string> {
    return this.#images.pull(reference, auth, signal);
  }

  inspectImage(reference: string): Promise<ImageState | undefined> {
    return this.#images.inspect(reference);
  }

  listImages(): Promise<ImageState[]> {
    return this.#images.list();
  }

  removeImage(id: string): Promise<void> {
    return this.#images.remove(id);
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    const onOom = (id: string): unknown => this.#oomKilled.add(id);
    return dockerEvents(this.#client, { node: this.#node, log: this.#log, signal, onOom });
  }

  /** Closes idle connections; for whoever ends the process. */
  close(): void {
    this.#client.close();
  }

  /** While it looks up the name of a registry, Docker answers no `/info`: what it said before stands. */
  async #facts(): Promise<DockerInfo> {
    try {
      this.#known = await this.#client.call(
        this.#known ? deadlines.repeated : deadlines.probe,
        (_docker, abortSignal) => this.#client.get<DockerInfo>('/info', {}, abortSignal),
      );
    } catch (error) {
      const isSilent = error instanceof RuntimeError && error.cause instanceof DeadlineExceeded;
      if (!this.#known || !isSilent) throw error;
    }
    return this.#known;
  }

  async #create(body: ContainerCreateOptions): Promise<string> {
    const created = await this.#client.call(deadlines.slow, (docker, abortSignal) =>
      docker.createContainer({ ...body, abortSignal }),
    );
    return created.id;
  }

  #inspect(id: string): Promise<ContainerInspectInfo | undefined> {
    return this.#client.call(deadlines.quick, (docker, abortSignal) =>
      unless([404], docker.getContainer(id).inspect({ abortSignal })),
    );
  }

  async #list(type: 'sandbox' | 'container', podUid: string | undefined): Promise<ContainerInspectInfo[]> {
    const filters = listFilters(type, this.#node, podUid);
    const found = await this.#client.call(deadlines.quick, (docker, abortSignal) =>
      docker.listContainers({ all: true, filters, abortSignal }),
    );
    const states = await Promise.all(found.map(({ Id }) => this.#inspect(Id)));
    return states.filter((state) => state !== undefined);
  }

  async #idsIn(sandboxId: string): Promise<string[]> {
    const filters = { label: [`${sandboxIdLabel}=${sandboxId}`] };
    const found = await this.#client.call(deadlines.quick, (docker, abortSignal) =>
      docker.listContainers({ all: true, filters, abortSignal }),
    );
    return found.map(({ Id }) => Id);
  }

  async #sharingOf(sandboxId: string): Promise<Sharing> {
    const known = this.#sharing.get(sandboxId);
    if (known) return known;
    const info = await this.#client.call(deadlines.quick, (docker, abortSignal) =>
      docker.getContainer(sandboxId).inspect({ abortSignal }),
    );
    const sharing = sharingOf(info);
    this.#sharing.set(sandboxId, sharing);
    return sharing;
  }
}
