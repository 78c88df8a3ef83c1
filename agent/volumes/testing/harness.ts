/**
 * All of `agent/volumes` on a directory of its own, with real mounts and an API in memory, for tests that run as root.
 * Everything that was mounted is unmounted at the end of the test.
 */
import { mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import type { Container, Pod, PodSpec, VolumeMount } from '../../../src/api/types.js';
import { systemClock } from '../../../src/host/clock.js';
import { type Exec, run } from '../../../src/host/exec.js';
import { silentLogger } from '../../../src/host/log.js';
import { pod as build } from '../../../src/testing/builders.js';
import { createFakeClient, type FakeClient } from '../../../src/testing/fakeclient.js';
import type { ImageResult, PodVolumes } from '../../pods/needs.js';
import type { Device, Mount, RuntimeFeatures } from '../../runtime/runtime.js';
import { createMounter, type Mounter } from '../mounts.js';
import { createPodVolumes } from '../podvolumes.js';

export interface Harness {
  /** An empty directory for what is outside of pods. */
  scratch: string;
  podsDirectory: string;
  client: FakeClient;
  volumes: PodVolumes;
  mounter: Mounter;
  features: RuntimeFeatures;
  image: ImageResult;
  node: { name: string; labels: Record<string, string> };
  allocatable: Record<string, string>;
  /** Uids of pods whose volumes changed, as they came. */
  changed: string[];
  /** Where the helpers of `mount` are, after a restart. */
  helpers: string;
  /** A new process of the agent: memory is lost, the disk stays. */
  restart(): Promise<void>;
  prepare(pod: Pod): Promise<void>;
  mountsOf(pod: Pod, env?: Record<string, string>): Promise<Mount[]>;
  devicesOf(pod: Pod): Promise<Device[]>;
  /** Where the volume `name` of the pod is made. */
  path(pod: Pod, name: string): string;
  /** The same for what is kept in memory. */
  memory(pod: Pod, name: string): string;
  /** Waits until an object that the pod refers to changed. */
  untilChanged(): Promise<void>;
}

const none: RuntimeFeatures = {
  imageVolumes: false,
  recursiveReadOnly: false,
  userNamespaces: false,
  strictSupplementalGroups: false,
  runtimeHandlers: [],
  seccomp: true,
  appArmor: false,
};

export async function createHarness(t: Test, given: { exec?: Exec } = {}): Promise<Harness> {
  const exec = given.exec ?? run;
  const scratch = await realpath(await mkdtemp(join(tmpdir(), 'wherry-volumes-')));
  const podsDirectory = join(scratch, 'pods');
  const client = createFakeClient();
  const mounter = createMounter(run);
  const start = () =>
    createPodVolumes({
      client,
      exec,
      clock: systemClock,
      log: silentLogger,
      images: { ensure: async () => h.image, forget: () => undefined },
      features: async () => h.features,
      facts: { hostIPs: [], nodeName: 'node-1', allocatable: () => h.allocatable },
      node: () => h.node,
      podsDirectory,
      mountHelpers: h.helpers,
      onChange: (uid) => void h.changed.push(uid),
    });
  const h: Harness = {
    scratch,
    podsDirectory,
    client,
    mounter,
    volumes: undefined as unknown as PodVolumes,
    features: none,
    image: { result: 'present', imageId: 'sha256:1', message: '', user: '' },
    node: { name: 'node-1', labels: { 'kubernetes.io/hostname': 'node-1' } },
    allocatable: {},
    changed: [],
    helpers: '/sbin',
    async restart() {
      await parts.objects.stop();
      parts = start();
      h.volumes = parts.volumes;
    },
    prepare: (pod) => h.volumes.prepare(pod, new AbortController().signal),
    async mountsOf(pod, env = {}) {
      const [spec] = pod.spec?.containers ?? [];
      return spec ? h.volumes.mountsOf(pod, spec, new Map(Object.entries(env))) : [];
    },
    async devicesOf(pod) {
      const [spec] = pod.spec?.containers ?? [];
      return (spec && (await h.volumes.devicesOf?.(pod, spec))) ?? [];
    },
    path: (pod, name) => join(podsDirectory, pod.metadata.uid ?? '', 'volumes', name),
    memory: (pod, name) => join(scratch, 'memory', pod.metadata.uid ?? '', name),
    async untilChanged() {
      while (h.changed.length === 0) await new Promise((resolve) => setImmediate(resolve));
      h.changed.length = 0;
    },
  };
  let parts = start();
  h.volumes = parts.volumes;
  t.teardown(async () => {
    await parts.objects.stop();
    await mounter.removeTree(scratch);
  });
  return h;
}

const marker = 'WHERRY_TEST_MOUNTS';

/**
 * True inside a mount namespace, for mounts that would disturb others on this machine. Outside it runs the same file
 * again inside one, as a subtest, and returns false.
 */
export async function insideMountNamespace(t: Test, url: string): Promise<boolean> {
  if (process.env[marker] === '1') return true;
  const args = ['--mount', process.execPath, ...process.execArgv, fileURLToPath(url)];
  await t.spawn('unshare', args, { env: { ...process.env, [marker]: '1' }, timeout: 300_000 });
  return false;
}

export interface PodWithVolumes {
  uid?: string;
  volumes: NonNullable<PodSpec['volumes']>;
  /** Of the one container; without them it mounts every volume at `/<name>`. */
  mounts?: VolumeMount[];
  container?: Partial<Container>;
  spec?: Partial<PodSpec>;
}

export function podWith({ uid = 'u1', volumes, mounts, container, spec }: PodWithVolumes): Pod {
  const volumeMounts = mounts ?? volumes.map(({ name }) => ({ name, mountPath: `/${name}` }));
  const one: Container = { name: 'c', image: 'i', volumeMounts, ...container };
  return build('web', {
    meta: { uid, labels: { app: 'web' } },
    spec: { volumes, containers: [one], ...spec },
  });
}
