/**
 * What the agent would do for a pod, without a runtime: the real preparation of its volumes, files, sandbox and
 * containers on an API in memory. Mounts are left out; what would be mounted on them is written to the directories.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { containerResources, podResources } from '../../agent/cgroups/limits.js';
import { createHostFiles } from '../../agent/pods/hostfiles.js';
import { containerLabels } from '../../agent/pods/names.js';
import { ConfigError, VolumeError } from '../../agent/pods/needs.js';
import { toPodSandbox } from '../../agent/pods/networking.js';
import { type PodConfig, podConfigDefaults } from '../../agent/pods/nodeconfig.js';
import { createPreparation } from '../../agent/pods/preparation.js';
import { PodRecord } from '../../agent/pods/record.js';
import { createSandboxPreparation } from '../../agent/pods/sandbox.js';
import { FakeRuntime } from '../../agent/runtime/fake.js';
import type { ContainerSpec, RuntimeFeatures, SandboxSpec } from '../../agent/runtime/runtime.js';
import { createPodVolumes } from '../../agent/volumes/podvolumes.js';
import {
  configMaps,
  persistentVolumeClaims,
  persistentVolumes,
  runtimeClasses,
  secrets,
  services as serviceType,
} from '../../src/api/kinds.js';
import type { Container, Pod, PodSpec } from '../../src/api/types.js';
import { silentLogger } from '../../src/host/log.js';
import { pod as build, service } from '../../src/testing/builders.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createFakeClient, type FakeClient } from '../../src/testing/fakeclient.js';

export interface Given {
  labels?: Record<string, string>;
  features?: Partial<RuntimeFeatures>;
  config?: Partial<PodConfig>;
  /** Files that an earlier container wrote: `volume/path` to text. */
  written?: Record<string, string>;
}

export interface Plan {
  /** Why the pod, or one of its containers, would wait instead. */
  refused: string | undefined;
  sandbox: SandboxSpec | undefined;
  containers: Record<string, ContainerSpec>;
  /** Commands that the volumes needed: `mount ...`. */
  commands: string[];
  hosts: string;
  resolvConf: string;
  /** Files and directories in the mounts of the containers: `v/path` to text and permissions. */
  files: Record<string, { text?: string; mode: string; group: number }>;
  portMappings: unknown;
  /** Of the pod's own cgroup. */
  cgroup: unknown;
  /** What the image manager was asked for. */
  images: Pick<Container, 'image' | 'imagePullPolicy'>[];
}

const allFeatures: RuntimeFeatures = {
  ...new FakeRuntime().features,
  recursiveReadOnly: true,
  userNamespaces: true,
  strictSupplementalGroups: true,
  imageVolumes: true,
  runtimeHandlers: ['fast-handler'],
  appArmor: true,
};
const policy = {
  memoryCapacity: 8 * 1024 ** 3,
  cfsQuota: true,
  podMaxPids: undefined,
  hugePageSizes: [2 * 1024 ** 2],
  reservesMemory: false,
};
const signal = new AbortController().signal;

export type Planner = (spec: Partial<PodSpec>, given?: Given) => Promise<Plan>;

export async function createPlanner(t: Test): Promise<Planner> {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-plan-'));
  const podsDirectory = join(directory, 'pods');
  const seccompDirectory = join(directory, 'seccomp');
  const resolvConf = join(directory, 'resolv.conf');
  const hostsFile = join(directory, 'hosts');
  const device = join(directory, 'claim');
  await Promise.all([mkdir(seccompDirectory), mkdir(device)]);
  await writeFile(join(seccompDirectory, 'own.json'), '{}');
  await writeFile(resolvConf, 'nameserver 192.0.2.53\nsearch example.test\n');
  await writeFile(hostsFile, '192.0.2.1 the-host\n');
  const clock = createFakeClock();
  const client = withTokens(createFakeClient({ clock }));
  seed(client, device);
  const services = [service('kubernetes'), service('db')].map((one) => ({
    ...one,
    spec: { clusterIP: '10.96.0.1', ports: [{ port: 443 }] },
  }));
  for (const one of services) client.seed(serviceType, one);
  let made = 0;
  t.teardown(() => rm(directory, { recursive: true, force: true }));

  return async (spec, given = {}) => {
    made += 1;
    const uid = `uid-${made}`;
    const pod = build('web', {
      meta: { uid, labels: { app: 'web', ...given.labels } },
      spec: { containers: [{ name: 'c', image: 'app:1' }], ...spec },
    });
    const features = { ...allFeatures, ...given.features };
    const config = { ...podConfigDefaults, resolvConf, seccompDirectory, ...given.config };
    const plan: Plan = {
      refused: undefined,
      sandbox: undefined,
      containers: {},
      commands: [],
      hosts: '',
      resolvConf: '',
      files: {},
      portMappings: undefined,
      cgroup: podResources(pod, policy),
      images: [],
    };
    const images = {
      forget: () => undefined,
      ensure: async (_pod: Pod, { image, imagePullPolicy }: Container) => {
        plan.images.push({ image, ...(imagePullPolicy && { imagePullPolicy }) });
        return { result: 'present' as const, imageId: `id of ${image}`, message: '', user: 'app' };
      },
    };
    const facts = { hostIPs: ['192.0.2.1'], nodeName: 'n', allocatable: () => ({ cpu: '4', memory: '8Gi' }) };
    const { volumes, objects } = createPodVolumes({
      client,
      clock,
      log: silentLogger,
      exec: async (file, args) => {
        plan.commands.push([file, ...args].join(' '));
        return { code: 0, stdout: '', stderr: '' };
      },
      images,
      features: async () => features,
      facts,
      node: () => ({ name: 'n', labels: {} }),
      podsDirectory,
      onChange: () => undefined,
    });
    const cgroups = {
      parentOf: () => '/p',
      ensurePod: async () => undefined,
      removePod: async () => undefined,
      listPods: async () => [],
      resourcesOf: (of: Pod, container: Container) => containerResources(of, container, policy),
    };
    const hostFiles = createHostFiles({ podsDirectory, config, hostsFile });
    const preparation = createPreparation({
      images,
      volumes,
      cgroups,
      objects,
      hostFiles,
      services: () => services,
      allocatable: facts.allocatable,
      hostIPs: facts.hostIPs,
      nodeName: 'n',
      features: async () => features,
      config,
      clock,
      enqueue: () => undefined,
    });
    const record = new PodRecord(uid, clock);
    record.containers.set('running-id', runningContainer(pod));
    const prepareSandbox = createSandboxPreparation({
      client,
      features: async () => features,
      cgroups,
      config,
      nodeName: 'n',
    });
    try {
      plan.sandbox = await prepareSandbox(pod, 0);
      await volumes.prepare(pod, signal);
      for (const [name, text] of Object.entries(given.written ?? {})) {
        const path = join(podsDirectory, uid, 'volumes', name);
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, text);
      }
      await hostFiles.prepare(pod);
      const ips = ['10.244.0.9'];
      await hostFiles.writeHosts(pod, ips);
      plan.hosts = await readFile(join(podsDirectory, uid, 'etc-hosts'), 'utf8');
      plan.resolvConf = await readFile(join(podsDirectory, uid, 'resolv.conf'), 'utf8');
      const sandboxState = {
        ...plan.sandbox,
        id: 's',
        state: 'running',
        createdAt: clock.now(),
        pid: 1,
      } as const;
      plan.portMappings = toPodSandbox(pod, { ...sandboxState, networkNamespace: '' }).portMappings;
      const all = [
        ...(pod.spec?.initContainers ?? []),
        ...(pod.spec?.containers ?? []),
        ...(pod.spec?.ephemeralContainers ?? []),
      ];
      for (const one of all) {
        const start = { container: one.name, attempt: 0, nextBackoffMs: 10_000 };
        const context = { pod, record, signal, log: silentLogger };
        const prepared = await preparation.prepare({ spec: one, start, ips }, context);
        if (prepared) plan.containers[one.name] = prepared;
        else plan.refused = JSON.stringify(record.obstacles.get(one.name));
      }
      for (const { mounts } of Object.values(plan.containers)) {
        for (const { hostPath, containerPath } of mounts) {
          if (hostPath.startsWith(`${directory}/`))
            Object.assign(plan.files, await filesBelow(hostPath, containerPath.slice(1)));
        }
      }
    } catch (error) {
      if (error instanceof VolumeError) plan.refused = `FailedMount ${error.volume}: ${error.message}`;
      else if (error instanceof ConfigError) plan.refused = error.message;
      else throw error;
    } finally {
      preparation.cancel(uid);
      await objects.stop();
    }
    return plan;
  };
}

/** What ephemeral containers may look into. */
const runningContainer = (pod: Pod) => ({
  id: 'running-id',
  sandboxId: 's',
  name: 'x',
  labels: containerLabels(pod, 'n', { name: 'running' }, { attempt: 0, backoffMs: 0 }),
  image: 'i',
  imageId: 'i',
  state: 'running' as const,
  createdAt: new Date(0),
  startedAt: new Date(0),
  finishedAt: undefined,
  exitCode: undefined,
  oomKilled: false,
  error: '',
  pid: 7,
  logPath: undefined,
});

function seed(client: FakeClient, directory: string): void {
  const metadata = { namespace: 'default', name: 'all' };
  client.seed(configMaps, { metadata, data: { k: 'from-config', j: 'other' } });
  const secret = { k: Buffer.from('from-secret').toString('base64'), j: '' };
  client.seed(secrets, { metadata, data: secret });
  client.seed(runtimeClasses, { metadata: { name: 'fast' }, handler: 'fast-handler' });
  client.seed(runtimeClasses, { metadata: { name: 'strange' }, handler: 'nobody-has-it' });
  const claim = client.seed(persistentVolumeClaims, {
    metadata: { namespace: 'default', name: 'claim' },
    spec: { volumeName: 'pv', accessModes: ['ReadWriteOnce'] },
    status: { phase: 'Bound' },
  });
  client.seed(persistentVolumes, {
    metadata: { name: 'pv' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      hostPath: { path: directory },
      claimRef: { namespace: 'default', name: 'claim', uid: claim.metadata.uid ?? '' },
    },
    status: { phase: 'Bound' },
  });
}

interface TokenBody {
  spec: { audiences: string[]; expirationSeconds: number };
}

/** The words of the request are the token. */
const withTokens = (client: FakeClient): FakeClient =>
  Object.assign(client, {
    post: async (_type: unknown, { name }: { name: string }, _subresource: string, body: TokenBody) => ({
      status: {
        token: `${name} ${body.spec.audiences.join()} ${body.spec.expirationSeconds}`,
        expirationTimestamp: '2100-01-01T00:00:00Z',
      },
    }),
  });

async function filesBelow(root: string, shownAt: string): Promise<Plan['files']> {
  const files: Plan['files'] = {};
  if (!(await stat(root)).isDirectory()) return files;
  const walk = async (path: string): Promise<void> => {
    for (const name of await readdir(join(root, path))) {
      const at = join(path, name);
      const found = await stat(join(root, at));
      files[join(shownAt, at)] = {
        mode: (found.mode & 0o7777).toString(8),
        group: found.gid,
        ...(found.isFile() && { text: await readFile(join(root, at), 'utf8') }),
      };
      if (found.isDirectory() && !name.startsWith('..')) await walk(at);
    }
  };
  await walk('');
  return files;
}
