/**
 * 8. A CRI runtime (containerd 1.6 and newer) as a `Runtime`, over gRPC. Made by the agent's composition root.
 *
 * Invariants: sees and touches only what carries our labels and this node's name. What the runtime answers is judged in
 * errors.ts and translated in state.ts, what it is asked in spec.ts. Keeps nothing but caches. The runtime runs CNI, so
 * sandboxes come with their network; and it writes logs, which logs.ts reads and rotation.ts keeps small.
 */
import { type Clock, systemClock } from '../../../src/host/clock.js';
import type { Logger } from '../../../src/host/log.js';
import {
  type ContainerSpec,
  type ContainerState,
  type ContainerStats,
  type ExecSpec,
  type ImageState,
  type LinuxResources,
  type LogLine,
  type LogOptions,
  labels,
  type PullAuth,
  type Runtime,
  RuntimeError,
  type RuntimeEvent,
  type SandboxSpec,
  type SandboxState,
} from '../runtime.js';
import { CriClient, deadlines } from './client.js';
import { CriContainers } from './containers.js';
import { unlessMissing } from './errors.js';
import { criEvents } from './events.js';
import { CriExec } from './exec.js';
import {
  hasCgroup2,
  networkTroubleOf,
  type RuntimeFacts,
  readFacts,
  readHost,
  refuseUnready,
} from './features.js';
import { CriImages } from './images.js';
import { readLogs } from './logs.js';
import { Owners } from './owners.js';
import type { LogOwner } from './rotation.js';
import { ensureSandboxImage } from './sandbox-image.js';
import { CriSandboxes } from './sandboxes.js';
import { containerLogPath, type Surroundings } from './spec.js';

export interface CriRuntimeOptions {
  /** `/run/containerd/containerd.sock` */
  socketPath: string;
  /** Node name: several agents may share one runtime. */
  node: string;
  log: Logger;
  clock?: Clock;
  /** The lowest oom_score_adj the host lets the runtime set (`readOomScoreFloor`); -1000 by default. */
  oomScoreFloor?: number;
  /** Where logs are kept, `/var/log/pods` by default. */
  logRoot?: string;
}

export class CriRuntime implements Runtime {
  readonly networkedBy = 'runtime';
  readonly #client: CriClient;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #node: string;
  readonly #owners = new Owners();
  readonly #images: CriImages;
  readonly #sandboxes: CriSandboxes;
  readonly #containers: CriContainers;
  readonly #exec: CriExec;
  readonly #surroundings: () => Promise<Surroundings>;
  /** Of the version that answered last. */
  #facts: RuntimeFacts | undefined;

  constructor(options: CriRuntimeOptions) {
    const { node, clock = systemClock } = options;
    const client = new CriClient(options.socketPath);
    this.#client = client;
    this.#clock = clock;
    this.#node = node;
    this.#log = options.log.child({ runtime: 'cri' });
    let around: Promise<Surroundings> | undefined;
    const surroundings = (): Promise<Surroundings> => {
      around ??= readSurroundings(options);
      return around;
    };
    this.#surroundings = surroundings;
    this.#images = new CriImages(client, clock);
    const provideImage = (name: string): Promise<void> => {
      this.#images.hide(name);
      return ensureSandboxImage(client, name, clock);
    };
    const common = { client, node, owners: this.#owners, surroundings };
    const sandboxes = new CriSandboxes({ ...common, provideImage });
    this.#sandboxes = sandboxes;
    this.#containers = new CriContainers({ ...common, clock, sandboxes, images: this.#images });
    this.#exec = new CriExec(client, clock);
  }

  async version(): ReturnType<Runtime['version']> {
    const [{ runtimeVersion }, { status }] = await Promise.all([
      this.#client.call('version', {}, deadlines.quick),
      this.#client.call('status', {}, deadlines.quick),
    ]);
    refuseUnready(status);
    if (this.#facts?.version.version !== runtimeVersion) {
      this.#facts = await readFacts(this.#client);
      if (this.#facts.sandboxImage) this.#images.hide(this.#facts.sandboxImage);
    }
    return this.#facts.version;
  }

  /** Where the runtime looks for its network; undefined when it does not tell. */
  async cniConfDirectory(): Promise<string | undefined> {
    await this.version();
    return this.#facts?.cniConfDirectory;
  }

  /** Why the runtime can give pods no network; '' when it can. */
  async networkTrouble(): Promise<string> {
    return networkTroubleOf((await this.#client.call('status', {}, deadlines.quick)).status);
  }

  /** Ids of all sandboxes of the runtime, also those of others. */
  async allSandboxIds(): Promise<string[]> {
    return (await this.#client.call('listPodSandbox', {}, deadlines.quick)).items.map(({ id }) => id);
  }

  /** For `createLogRotation`. */
  get logOwner(): LogOwner {
    return this.#containers;
  }

  /** Where the runtime does not tell the name, the first sandbox makes up for it. */
  async ensureSandboxImage(): Promise<void> {
    await this.version();
    const name = this.#facts?.sandboxImage;
    if (name !== undefined) await ensureSandboxImage(this.#client, name, this.#clock);
  }

  createSandbox(spec: SandboxSpec): Promise<string> {
    return this.#sandboxes.create(spec);
  }

  startSandbox(id: string): Promise<SandboxState> {
    return this.#sandboxes.start(id);
  }

  /** The sandbox's own process needs no grace; containers that still run in it are killed. */
  stopSandbox(id: string): Promise<void> {
    return this.#sandboxes.stop(id);
  }

  removeSandbox(id: string): Promise<void> {
    return this.#sandboxes.remove(id);
  }

  listSandboxes(filter: { podUid?: string } = {}): Promise<SandboxState[]> {
    return this.#sandboxes.list(filter.podUid);
  }

  inspectSandbox(id: string): Promise<SandboxState | undefined> {
    return this.#sandboxes.inspect(id);
  }

  createContainer(sandboxId: string, spec: ContainerSpec): Promise<string> {
    return this.#containers.create(sandboxId, spec);
  }

  startContainer(id: string): Promise<void> {
    return this.#containers.start(id);
  }

  stopContainer(id: string, graceMs: number): Promise<void> {
    return this.#containers.stop(id, graceMs);
  }

  removeContainer(id: string): Promise<void> {
    return this.#containers.remove(id);
  }

  updateContainer(id: string, limits: LinuxResources): Promise<void> {
    return this.#containers.update(id, limits);
  }

  listContainers(filter: { podUid?: string } = {}): Promise<ContainerState[]> {
    return this.#containers.list(filter.podUid);
  }

  inspectContainer(id: string): Promise<ContainerState | undefined> {
    return this.#containers.inspect(id);
  }

  exec(id: string, spec: ExecSpec, signal: AbortSignal): Promise<number> {
    return this.#exec.run(id, spec, signal);
  }

  attach(id: string, spec: Omit<ExecSpec, 'command'>, signal: AbortSignal): Promise<void> {
    return this.#exec.attach(id, spec, signal);
  }

  async *logs(id: string, options: LogOptions): AsyncGenerator<LogLine, void, undefined> {
    const found = await this.#containers.inspect(id);
    if (!found) throw new RuntimeError('notFound', `there is no container ${id}`);
    const path = found.logPath ?? containerLogPath((await this.#surroundings()).logRoot, found.labels);
    const isRunning = async (): Promise<boolean> => {
      const now = await this.#containers.inspect(id);
      return now !== undefined && now.state !== 'exited';
    };
    yield* readLogs({ path, isRunning, clock: this.#clock }, options);
  }

  stats(id: string): Promise<ContainerStats | undefined> {
    return this.#containers.stats(id);
  }

  writableLayerBytes(): Promise<ReadonlyMap<string, number>> {
    return this.#containers.writableLayerBytes();
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

  async imageDirectory(): Promise<string> {
    const { imageFilesystems } = await this.#client.call('imageFsInfo', {}, deadlines.quick);
    const directory = imageFilesystems[0]?.fsId?.mountpoint;
    if (!directory) throw new RuntimeError('failed', 'the runtime does not tell where it keeps images');
    return directory;
  }

  events(signal: AbortSignal): AsyncIterable<RuntimeEvent> {
    const owners = this.#owners;
    const subjects = {
      podOf: (id: string) => this.#podOf(id),
      forget: (id: string): string | undefined => {
        const podUid = owners.get(id)?.podUid;
        owners.forget(id);
        return podUid;
      },
      isRunning: (id: string) =>
        owners.get(id)?.kind === 'sandbox' ? this.#sandboxes.isRunning(id) : this.#containers.isRunning(id),
    };
    return criEvents({
      client: this.#client,
      subjects,
      node: this.#node,
      clock: this.#clock,
      log: this.#log,
      signal,
    });
  }

  /** Ends the connection; for whoever ends the process. */
  close(): Promise<void> {
    return this.#client.close();
  }

  async #podOf(id: string): Promise<string | undefined> {
    const known = this.#owners.get(id);
    if (known) return known.podUid;
    const container = await unlessMissing(
      this.#client.call('containerStatus', { containerId: id }, deadlines.quick),
    );
    const sandbox =
      container ??
      (await unlessMissing(this.#client.call('podSandboxStatus', { podSandboxId: id }, deadlines.quick)));
    const found = container?.status ?? sandbox?.status;
    if (!found || found.labels[labels.node] !== this.#node) return undefined;
    this.#owners.note(container ? 'container' : 'sandbox', found);
    return found.labels[labels.podUid];
  }
}

async function readSurroundings(options: CriRuntimeOptions): Promise<Surroundings> {
  const [{ seccomp }, cgroup2] = await Promise.all([readHost(), hasCgroup2()]);
  return {
    logRoot: options.logRoot ?? '/var/log/pods',
    oomFloor: options.oomScoreFloor ?? -1000,
    seccomp,
    cgroup2,
  };
}
