/**
 * 8. Sandboxes of a CRI runtime. Used by cri.ts.
 *
 * A sandbox is made and started in one call, network included, so none is ever `created`; a start only looks. What does
 * not change while it runs (process id, addresses) is asked for once.
 */
import { rm } from 'node:fs/promises';
import { labels, RuntimeError, type SandboxSpec, type SandboxState } from '../runtime.js';
import { type CriClient, deadlines } from './client.js';
import { despiteEnd, unlessMissing } from './errors.js';
import type { PodSandbox, PodSandboxConfig, PodSandboxStatus } from './generated/protocol.js';
import type { Owners } from './owners.js';
import type { Draft } from './protocol.js';
import { annotations, podLogDirectory, type Remembered, type Surroundings, sandboxConfig } from './spec.js';
import { addressesOf, pidIn, rememberedOf, type SandboxFacts, sandboxState, selectorOf } from './state.js';

export interface SandboxesOptions {
  client: CriClient;
  node: string;
  owners: Owners;
  surroundings(): Promise<Surroundings>;
  /** Puts our image where the runtime looked for one of this name. */
  provideImage(name: string): Promise<void>;
}

/** What the runtime wants to know of a sandbox when a container is made in it. */
interface Home {
  labels: Readonly<Record<string, string>>;
  name: string;
  remembered: Remembered;
}

/** CNI may take its time in a burst. */
const runMs = 2 * deadlines.slow;

export class CriSandboxes {
  readonly #options: SandboxesOptions;
  readonly #facts = new Map<string, SandboxFacts>();
  readonly #homes = new Map<string, Home>();
  /** Under way, by sandbox: the runtime fails the second of two that take the same network down. */
  readonly #stops = new Map<string, Promise<unknown>>();

  constructor(options: SandboxesOptions) {
    this.#options = options;
  }

  async create(spec: SandboxSpec): Promise<string> {
    const { owners, provideImage } = this.#options;
    const config = sandboxConfig(spec.labels, spec, await this.#options.surroundings());
    const run = (): Promise<string> => this.#run(config, spec.runtimeHandler ?? '');
    const id = await run().catch(async (error: unknown) => {
      // Somebody removed it, or the runtime does not tell its name but so.
      const [, image] = /failed to get sandbox image "([^"]+)"/.exec(String(error)) ?? [];
      if (image === undefined) throw error;
      await provideImage(image);
      return run();
    });
    owners.note('sandbox', { id, labels: spec.labels });
    this.#homes.set(id, { labels: spec.labels, name: spec.name, remembered: spec });
    return id;
  }

  async #run(config: Draft<PodSandboxConfig>, runtimeHandler: string): Promise<string> {
    return (await this.#options.client.call('runPodSandbox', { config, runtimeHandler }, runMs)).podSandboxId;
  }

  /** Rejects with `conflict` for one that has ended: the runtime cannot start it again. */
  async start(id: string): Promise<SandboxState> {
    const state = await this.inspect(id);
    if (!state) throw new RuntimeError('notFound', `there is no sandbox ${id}`);
    if (state.state !== 'running') throw new RuntimeError('conflict', `sandbox ${id} has ended`);
    return state;
  }

  async inspect(id: string): Promise<SandboxState | undefined> {
    const found = await this.#status(id);
    return found && sandboxState(found.status, found.facts);
  }

  async list(podUid?: string): Promise<SandboxState[]> {
    const { client, node, owners } = this.#options;
    const filter = { labelSelector: selectorOf('sandbox', node, podUid) };
    const { items } = await client.call('listPodSandbox', { filter }, deadlines.quick);
    if (podUid === undefined) this.#noteAll(items);
    else for (const item of items) owners.note('sandbox', item);
    const states = await Promise.all(items.map((item) => this.#complete(item)));
    return states.filter((state) => state !== undefined);
  }

  async stop(id: string): Promise<void> {
    await this.#alone(id, 'stopPodSandbox');
  }

  /** Takes its containers and, with the last sandbox of a pod, the pod's logs along. */
  async remove(id: string): Promise<void> {
    const { surroundings } = this.#options;
    const found = await this.#status(id);
    if (!found) return;
    await this.stop(id);
    const others = await this.list(found.status.labels[labels.podUid] ?? '');
    if (others.every((other) => other.id === id)) {
      const { logRoot } = await surroundings();
      await rm(podLogDirectory(logRoot, found.status.labels), { recursive: true, force: true });
    }
    await this.#alone(id, 'removePodSandbox');
    this.#facts.delete(id);
    this.#homes.delete(id);
  }

  /** One behind the other. */
  async #alone(id: string, method: 'stopPodSandbox' | 'removePodSandbox'): Promise<void> {
    const call = (): Promise<unknown> =>
      unlessMissing(
        despiteEnd(() => this.#options.client.call(method, { podSandboxId: id }, deadlines.slow)),
      );
    const mine = (this.#stops.get(id) ?? Promise.resolve()).then(call, call);
    this.#stops.set(id, mine);
    try {
      await mine;
    } finally {
      if (this.#stops.get(id) === mine) this.#stops.delete(id);
    }
  }

  /** What containers of the sandbox share; asked of the runtime after a restart of the agent. */
  async home(id: string): Promise<Home> {
    const known = this.#homes.get(id);
    if (known) return known;
    const { status } = await this.#options.client.call(
      'podSandboxStatus',
      { podSandboxId: id },
      deadlines.quick,
    );
    if (!status) throw new RuntimeError('notFound', `there is no sandbox ${id}`);
    const home = {
      labels: status.labels,
      name: status.annotations[annotations.name] ?? '',
      remembered: rememberedOf(status),
    };
    this.#homes.set(id, home);
    return home;
  }

  async isRunning(id: string): Promise<boolean> {
    const answer = await unlessMissing(
      this.#options.client.call('podSandboxStatus', { podSandboxId: id }, deadlines.quick),
    );
    return answer?.status?.state === 'SANDBOX_READY';
  }

  #noteAll(items: readonly PodSandbox[]): void {
    this.#options.owners.noteAll('sandbox', items);
    const ids = new Set(items.map(({ id }) => id));
    for (const id of [...this.#facts.keys(), ...this.#homes.keys()]) {
      if (ids.has(id)) continue;
      this.#facts.delete(id);
      this.#homes.delete(id);
    }
  }

  async #complete(item: PodSandbox): Promise<SandboxState | undefined> {
    const facts = this.#facts.get(item.id);
    if (item.state !== 'SANDBOX_READY') return sandboxState(item, { pid: 0, ips: [] });
    return facts ? sandboxState(item, facts) : this.inspect(item.id);
  }

  /** `undefined` when it is gone, or is another agent's. */
  async #status(id: string): Promise<{ status: PodSandboxStatus; facts: SandboxFacts } | undefined> {
    const { client, node } = this.#options;
    const known = this.#facts.get(id);
    const request = { podSandboxId: id, verbose: known === undefined };
    const answer = await unlessMissing(client.call('podSandboxStatus', request, deadlines.quick));
    const status = answer?.status;
    if (!status || status.labels[labels.node] !== node) return undefined;
    if (status.state !== 'SANDBOX_READY') return { status, facts: { pid: 0, ips: [] } };
    const facts = known ?? { pid: pidIn(answer.info), ips: addressesOf(status) };
    this.#facts.set(id, facts);
    return { status, facts };
  }
}
