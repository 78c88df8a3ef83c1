/**
 * What the fake runtime keeps of a sandbox and of a container, and the small things around it. Used by fake.ts.
 */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FakeImage } from './fake-images.js';
import { FakeLog } from './fake-log.js';
import {
  type ContainerSpec,
  type ContainerState,
  type ExecSpec,
  type ImageState,
  labels,
  type Runtime,
  RuntimeError,
  type SandboxSpec,
  type SandboxState,
} from './runtime.js';

export type RuntimeCall = Exclude<keyof Runtime, 'networkedBy'>;

export interface Sandbox {
  spec: SandboxSpec;
  state: SandboxState;
}

export interface Container {
  spec: ContainerSpec;
  state: ContainerState;
  argv: readonly string[];
  env: Record<string, string>;
  log: FakeLog;
  stop: AbortController;
  /** Resolves when it has exited. */
  exited: Latch;
}

interface Latch {
  promise: Promise<void>;
  resolve: () => void;
}

function createLatch(): Latch {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

const newId = (): string => randomBytes(32).toString('hex');

export const newSandbox = (spec: SandboxSpec, now: Date): Sandbox => ({
  spec,
  state: {
    id: newId(),
    name: spec.name,
    labels: { ...spec.labels },
    state: 'created',
    createdAt: now,
    pid: 0,
    networkNamespace: '',
  },
});

export function newContainer(made: {
  sandboxId: string;
  spec: ContainerSpec;
  image: FakeImage;
  state: ImageState;
  now: Date;
}): Container {
  const { spec, image } = made;
  const args = spec.args ?? (spec.command ? [] : (image.command ?? []));
  return {
    spec,
    argv: [...(spec.command ?? image.entrypoint ?? ['serve']), ...args],
    env: { ...image.env, ...Object.fromEntries(spec.env.map(({ name, value }) => [name, value])) },
    log: new FakeLog(),
    stop: new AbortController(),
    exited: createLatch(),
    state: {
      id: newId(),
      sandboxId: made.sandboxId,
      name: spec.name,
      labels: { ...spec.labels },
      image: spec.image,
      imageId: made.state.id,
      state: 'created',
      createdAt: made.now,
      startedAt: undefined,
      finishedAt: undefined,
      exitCode: undefined,
      oomKilled: false,
      error: '',
      pid: 0,
      logPath: undefined,
    },
  };
}

/** Calls that change nothing, and are not recorded. */
export const readOnly: ReadonlySet<RuntimeCall> = new Set<RuntimeCall>([
  'version',
  'listSandboxes',
  'inspectSandbox',
  'listContainers',
  'inspectContainer',
  'logs',
  'stats',
  'writableLayerBytes',
  'imageDirectory',
  'inspectImage',
  'listImages',
  'events',
]);

export const noSuchContainer = (id: string): RuntimeError =>
  new RuntimeError('notFound', `No such container: ${id}`);

export const ofPod =
  (podUid: string | undefined) =>
  (state: { labels: Record<string, string> }): boolean =>
    podUid === undefined || state.labels[labels.podUid] === podUid;

export const nothing = (): AsyncIterable<Buffer> => Readable.from([]);

export const writeTo = (stream: ExecSpec['stdout'], data: string | Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    if (!stream) resolve();
    else stream.write(data, (error) => (error ? reject(error) : resolve()));
  });
