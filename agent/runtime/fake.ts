/**
 * 8. A container runtime that lives in memory and behaves: it keeps state, refuses what Docker refuses, runs tiny
 * programs (`fake-programs.ts`) and passes the same contract suite. For tests of everything above the runtime.
 *
 * State of a container: created -> running -> exited; it runs once. A start that fails leaves it exited, with `error`.
 * Switches for tests: `failNext`, `before` (delay or refuse any call), `setAvailable`, `dropEvents`, `exit`, `calls`.
 */
import { type Clock, systemClock } from '../../src/host/clock.js';
import { EventQueue } from './event-queue.js';
import { FakeImages } from './fake-images.js';
import {
  type Container,
  newContainer,
  newSandbox,
  noSuchContainer,
  nothing,
  ofPod,
  type RuntimeCall,
  readOnly,
  type Sandbox,
  writeTo,
} from './fake-parts.js';
import { builtinPrograms, type Program, serve } from './fake-programs.js';
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
  type RuntimeFeatures,
  type SandboxSpec,
  type SandboxState,
} from './runtime.js';

export class FakeRuntime implements Runtime {
  readonly networkedBy = 'agent';
  /** What it says it can; tests change it. */
  features: RuntimeFeatures = {
    imageVolumes: false,
    recursiveReadOnly: false,
    userNamespaces: false,
    strictSupplementalGroups: false,
    runtimeHandlers: [],
    seccomp: true,
    appArmor: false,
  };
  /** What `writableLayerBytes` answers, by container id. */
  readonly layerBytes = new Map<string, number>();
  readonly images = new FakeImages();
  readonly programs = new Map<string, Program>(Object.entries(builtinPrograms));
  /** What a command that is no program does: `fails` to start like on Docker (default), or `serves` until stopped. */
  unknownProgram: 'fails' | 'serves' = 'fails';
  /** Every call that changes something: `['createSandbox', 'k8s_POD_web_default_..._0']`. */
  readonly calls: [RuntimeCall, string][] = [];
  /** While true, events get lost, as they may on any runtime. */
  dropEvents = false;
  /** Called first by every method; may wait or throw. */
  before: (call: RuntimeCall, subject: string) => void | Promise<void> = () => undefined;

  readonly #clock: Clock;
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #containers = new Map<string, Container>();
  readonly #queues = new Set<EventQueue>();
  readonly #failures: { call: RuntimeCall; error: RuntimeError }[] = [];
  #available = true;
  #nextPid = 1000;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  // Switches for tests.

  /** The next call of this method rejects with `error`; several calls queue up. */
  failNext(call: RuntimeCall, error: RuntimeError): void {
    this.#failures.push({ call, error });
  }

  /** False: every call rejects with `unavailable`. True again: calls work, and event readers get a `resync`. */
  setAvailable(available: boolean): void {
    this.#available = available;
    if (available) for (const queue of this.#queues) queue.push({ type: 'resync' });
  }

  /** Ends a running container or sandbox, as if its process had exited. */
  exit(id: string, exitCode: number, options: { oomKilled?: boolean } = {}): void {
    const sandbox = this.#sandboxes.get(id);
    if (sandbox) this.#sandboxExited(sandbox);
    else this.#exited(this.#container(id), exitCode, options.oomKilled ?? false);
  }

  // Runtime.

  async version(): ReturnType<Runtime['version']> {
    await this.#enter('version', '');
    const { features } = this;
    return { name: 'fake', version: '1.0.0', apiVersion: '1.0', cgroupDriver: 'cgroupfs', features };
  }

  async ensureSandboxImage(): Promise<void> {
    await this.#enter('ensureSandboxImage', '');
  }

  async createSandbox(spec: SandboxSpec): Promise<string> {
    await this.#enter('createSandbox', spec.name);
    this.#requireFreeName(spec.name);
    const sandbox = newSandbox(spec, this.#clock.now());
    this.#sandboxes.set(sandbox.state.id, sandbox);
    return sandbox.state.id;
  }

  async startSandbox(id: string): Promise<SandboxState> {
    const sandbox = await this.#enterSandbox('startSandbox', id);
    if (!sandbox) throw noSuchContainer(id);
    if (sandbox.state.state === 'exited') throw new RuntimeError('conflict', `sandbox ${id} has exited`);
    if (sandbox.state.state === 'created') {
      const pid = this.#nextPid++;
      sandbox.state = {
        ...sandbox.state,
        state: 'running',
        pid,
        networkNamespace: sandbox.spec.network === 'host' ? '' : `/proc/${pid}/ns/net`,
      };
      this.#emit(sandbox.state.labels);
    }
    return { ...sandbox.state };
  }

  async stopSandbox(id: string, _graceMs: number): Promise<void> {
    const sandbox = await this.#enterSandbox('stopSandbox', id);
    if (!sandbox) return;
    for (const container of this.#containersOf(id)) this.#exited(container, 137, false);
    this.#sandboxExited(sandbox);
  }

  async removeSandbox(id: string): Promise<void> {
    const sandbox = await this.#enterSandbox('removeSandbox', id);
    if (!sandbox) return;
    for (const container of this.#containersOf(id)) this.#removed(container);
    this.#sandboxExited(sandbox);
    this.#sandboxes.delete(id);
    this.#emit(sandbox.state.labels);
  }

  async listSandboxes(filter: { podUid?: string } = {}): Promise<SandboxState[]> {
    await this.#enter('listSandboxes', filter.podUid ?? '');
    return [...this.#sandboxes.values()].map(({ state }) => ({ ...state })).filter(ofPod(filter.podUid));
  }

  async inspectSandbox(id: string): Promise<SandboxState | undefined> {
    await this.#enter('inspectSandbox', id);
    const state = this.#sandboxes.get(id)?.state;
    return state && { ...state };
  }

  async createContainer(sandboxId: string, spec: ContainerSpec): Promise<string> {
    await this.#enter('createContainer', spec.name);
    if (!this.#sandboxes.has(sandboxId)) throw noSuchContainer(sandboxId);
    const found = this.images.find(spec.image);
    if (!found) throw new RuntimeError('imageNotFound', `No such image: ${spec.image}`);
    this.#requireFreeName(spec.name);
    const container = newContainer({ sandboxId, spec, ...found, now: this.#clock.now() });
    this.#containers.set(container.state.id, container);
    return container.state.id;
  }

  async startContainer(id: string): Promise<void> {
    const container = await this.#enterContainer('startContainer', id);
    if (!container) throw noSuchContainer(id);
    const { state, argv, spec } = container;
    if (state.state === 'running') return;
    if (state.state === 'exited')
      throw new RuntimeError('conflict', `container ${id} has exited; make a new one`);
    if (this.#sandboxes.get(state.sandboxId)?.state.state !== 'running') {
      throw new RuntimeError(
        'conflict',
        `cannot join network of a non running container: ${state.sandboxId}`,
      );
    }
    if (spec.pidOf && this.#containers.get(spec.pidOf)?.state.state !== 'running')
      throw new RuntimeError('conflict', `cannot join PID of a non running container: ${spec.pidOf}`);
    const program = this.#program(argv[0] ?? '');
    if (!program) {
      const error = `exec: "${argv[0]}": executable file not found in $PATH`;
      container.state = { ...state, state: 'exited', exitCode: 127, error, finishedAt: this.#clock.now() };
      throw new RuntimeError('invalid', error);
    }
    container.state = { ...state, state: 'running', startedAt: this.#clock.now(), pid: this.#nextPid++ };
    this.#emit(state.labels);
    void this.#run(container, program);
  }

  async stopContainer(id: string, graceMs: number): Promise<void> {
    const container = await this.#enterContainer('stopContainer', id);
    if (container?.state.state !== 'running') return;
    container.stop.abort(container.spec.stopSignal ?? 'SIGTERM');
    const done = new AbortController();
    const grace = this.#clock.sleep(graceMs, done.signal).then(
      () => this.#exited(container, 137, false),
      () => undefined,
    );
    await container.exited.promise;
    done.abort();
    await grace;
  }

  async removeContainer(id: string): Promise<void> {
    const container = await this.#enterContainer('removeContainer', id);
    if (container) this.#removed(container);
  }

  async updateContainer(id: string, resources: LinuxResources): Promise<void> {
    const container = await this.#enterContainer('updateContainer', id);
    if (container)
      container.spec = { ...container.spec, resources: { ...container.spec.resources, ...resources } };
  }

  async listContainers(filter: { podUid?: string } = {}): Promise<ContainerState[]> {
    await this.#enter('listContainers', filter.podUid ?? '');
    return [...this.#containers.values()].map(({ state }) => ({ ...state })).filter(ofPod(filter.podUid));
  }

  async inspectContainer(id: string): Promise<ContainerState | undefined> {
    await this.#enter('inspectContainer', id);
    const state = this.#containers.get(id)?.state;
    return state && { ...state };
  }

  async exec(id: string, spec: ExecSpec, signal: AbortSignal): Promise<number> {
    const container = await this.#enterContainer('exec', id);
    if (!container) throw noSuchContainer(id);
    if (container.state.state !== 'running')
      throw new RuntimeError('conflict', `Container ${id} is not running`);
    const program = this.#program(spec.command[0] ?? '');
    if (!program) {
      const text = `exec: "${spec.command[0]}": no such file or directory\n`;
      await writeTo(spec.tty ? spec.stdout : (spec.stderr ?? spec.stdout), Buffer.from(text));
      return 127;
    }
    const aborted = new Promise<never>((_, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    const code = program({
      argv: spec.command,
      env: container.env,
      stdin: spec.stdin ?? nothing(),
      write: (stream, data) => writeTo(spec.tty ? spec.stdout : spec[stream], data),
      signal,
      clock: this.#clock,
    });
    return await Promise.race([code, aborted, container.exited.promise.then(() => 137)]);
  }

  async attach(id: string, spec: Omit<ExecSpec, 'command'>, signal: AbortSignal): Promise<void> {
    await this.#enter('attach', id);
    const container = this.#container(id);
    const now = { follow: true, timestamps: false, tailLines: 0, signal };
    for await (const line of container.log.read(now)) await writeTo(spec[line.stream], `${line.text}\n`);
  }

  async *logs(id: string, options: LogOptions): AsyncGenerator<LogLine, void, undefined> {
    await this.#enter('logs', id);
    yield* this.#container(id).log.read(options);
  }

  async stats(id: string): Promise<ContainerStats | undefined> {
    await this.#enter('stats', id);
    if (this.#containers.get(id)?.state.state !== 'running') return undefined;
    return { cpuNanos: 1_000_000, memoryWorkingSetBytes: 1_000_000 };
  }

  async pullImage(reference: string, auth: PullAuth | undefined, signal: AbortSignal): Promise<string> {
    await this.#enter('pullImage', reference);
    signal.throwIfAborted();
    return this.images.pull(reference, auth);
  }

  async inspectImage(reference: string): Promise<ImageState | undefined> {
    await this.#enter('inspectImage', reference);
    return this.images.find(reference)?.state;
  }

  async listImages(): Promise<ImageState[]> {
    await this.#enter('listImages', '');
    return this.images.list();
  }

  async writableLayerBytes(): Promise<ReadonlyMap<string, number>> {
    await this.#enter('writableLayerBytes', '');
    return new Map([...this.#containers.keys()].map((id) => [id, this.layerBytes.get(id) ?? 0]));
  }

  async imageDirectory(): Promise<string> {
    await this.#enter('imageDirectory', '');
    return '/';
  }

  async removeImage(id: string): Promise<void> {
    await this.#enter('removeImage', id);
    const imageId = this.images.find(id)?.state.id;
    if (imageId === undefined) return;
    const user = [...this.#containers.values()].find(({ state }) => state.imageId === imageId);
    if (user) throw new RuntimeError('conflict', `image ${id} is being used by container ${user.state.id}`);
    this.images.remove(imageId);
  }

  async *events(signal: AbortSignal): AsyncGenerator<RuntimeEvent, void, undefined> {
    const queue = new EventQueue();
    queue.push({ type: 'resync' });
    this.#queues.add(queue);
    try {
      yield* queue.drain(signal);
    } finally {
      this.#queues.delete(queue);
    }
  }

  // State.

  async #enter(call: RuntimeCall, subject: string): Promise<void> {
    if (!readOnly.has(call)) this.calls.push([call, subject]);
    await this.before(call, subject);
    if (!this.#available) throw new RuntimeError('unavailable', 'the runtime does not answer');
    const at = this.#failures.findIndex((failure) => failure.call === call);
    const [failure] = at < 0 ? [] : this.#failures.splice(at, 1);
    if (failure) throw failure.error;
  }

  async #enterSandbox(call: RuntimeCall, id: string): Promise<Sandbox | undefined> {
    await this.#enter(call, this.#sandboxes.get(id)?.spec.name ?? id);
    return this.#sandboxes.get(id);
  }

  async #enterContainer(call: RuntimeCall, id: string): Promise<Container | undefined> {
    await this.#enter(call, this.#containers.get(id)?.spec.name ?? id);
    return this.#containers.get(id);
  }

  #container(id: string): Container {
    const container = this.#containers.get(id);
    if (!container) throw noSuchContainer(id);
    return container;
  }

  #containersOf(sandboxId: string): Container[] {
    return [...this.#containers.values()].filter(({ state }) => state.sandboxId === sandboxId);
  }

  #requireFreeName(name: string): void {
    const taken = [...this.#sandboxes.values(), ...this.#containers.values()].find(
      ({ spec }) => spec.name === name,
    );
    if (!taken) return;
    throw new RuntimeError(
      'conflict',
      `The container name "/${name}" is already in use by container "${taken.state.id}"`,
    );
  }

  #program(name: string): Program | undefined {
    return this.programs.get(name) ?? (this.unknownProgram === 'serves' ? serve : undefined);
  }

  async #run(container: Container, program: Program): Promise<void> {
    const code = await program({
      argv: container.argv,
      env: container.env,
      stdin: nothing(),
      write: (stream, data) => container.log.write(stream, String(data), this.#clock.now()),
      signal: container.stop.signal,
      clock: this.#clock,
    });
    this.#exited(container, code, false);
  }

  #exited(container: Container, exitCode: number, oomKilled: boolean): void {
    if (container.state.state !== 'running') return;
    const finishedAt = this.#clock.now();
    container.state = { ...container.state, state: 'exited', exitCode, oomKilled, finishedAt, pid: 0 };
    container.log.close(finishedAt);
    container.exited.resolve();
    this.#emit(container.state.labels);
  }

  #removed(container: Container): void {
    this.#exited(container, 137, false);
    this.#containers.delete(container.state.id);
    this.#emit(container.state.labels);
  }

  #sandboxExited(sandbox: Sandbox): void {
    if (sandbox.state.state !== 'running') return;
    sandbox.state = { ...sandbox.state, state: 'exited', pid: 0, networkNamespace: '' };
    this.#emit(sandbox.state.labels);
  }

  #emit(of: Record<string, string>): void {
    const podUid = of[labels.podUid];
    if (podUid === undefined || this.dropEvents || !this.#available) return;
    for (const queue of this.#queues) queue.push({ type: 'pod', podUid });
  }
}
