/**
 * The floor for pod start: the same containers by raw Docker calls, one after the other: create and start a sandbox,
 * create and start the container that joins it. No network set-up, no limits, no status: nobody can be faster this way.
 */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import Docker from 'dockerode';
import { labels } from '../agent/runtime/runtime.js';
import { sandboxCommand, sandboxImage } from '../agent/runtime/sandbox-image.js';

export interface RawPods {
  /** Milliseconds until the container of one pod has started. */
  start(): Promise<number>;
  /** Milliseconds until `count` pods run, all started at the same time. */
  burst(count: number): Promise<number>;
  /** Milliseconds until all of them are gone, removed at the same time. */
  removeAll(): Promise<number>;
}

const label = 'io.wherry.bench';
const socketPath = '/var/run/docker.sock';

/** Milliseconds that it takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Resolves when no container of the node is left; told by events, because a look costs the daemon something too. */
export async function untilGone(nodeName: string): Promise<void> {
  const docker = new Docker({ socketPath });
  const label = [`${labels.node}=${nodeName}`];
  const filters = JSON.stringify({ type: ['container'], event: ['destroy'], label });
  const stream = Readable.from(await docker.getEvents({ filters }));
  try {
    let left = (await docker.listContainers({ all: true, filters: { label } })).map(({ Id }) => Id);
    if (left.length === 0) return;
    for await (const line of createInterface({ input: stream })) {
      const { Actor } = JSON.parse(line) as { Actor: { ID: string } };
      left = left.filter((id) => id !== Actor.ID);
      if (left.length === 0) return;
    }
  } finally {
    stream.destroy();
  }
}

export function rawDocker(image: string, command: readonly string[]): RawPods {
  const docker = new Docker({ socketPath });
  const made: Docker.Container[] = [];

  async function create(options: Docker.ContainerCreateOptions): Promise<Docker.Container> {
    const container = await docker.createContainer({ ...options, Labels: { [label]: 'raw' } });
    made.push(container);
    return container;
  }

  async function one(): Promise<void> {
    const sandbox = await create({
      Image: sandboxImage,
      Cmd: [sandboxCommand],
      HostConfig: { NetworkMode: 'none', IpcMode: 'shareable' },
    });
    await sandbox.start();
    const network = `container:${sandbox.id}`;
    const container = await create({
      Image: image,
      Cmd: [...command],
      HostConfig: { NetworkMode: network, IpcMode: network },
    });
    await container.start();
  }

  return {
    start: () => timed(one),
    burst: (count) => timed(() => Promise.all(Array.from({ length: count }, one))),
    removeAll: () =>
      timed(() => Promise.all(made.splice(0).map((container) => container.remove({ force: true })))),
  };
}
