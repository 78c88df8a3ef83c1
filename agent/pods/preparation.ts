/**
 * Everything a container needs before it can be made: its image, environment, mounts and limits, resolved into a
 * `ContainerSpec`. Called by `startup.ts`. What stands in the way becomes the container's obstacle.
 *
 * An image that is not there at once is pulled in the background: the worker goes on and comes back when it is.
 */
import type { Container, Pod, Service } from '../../src/api/types.js';
import { settlesWithin } from '../../src/client/wait.js';
import type { Clock } from '../../src/host/clock.js';
import type { ContainerSpec, Mount } from '../runtime/runtime.js';
import type { ReferencedObjects } from '../volumes/objects.js';
import { dataOfConfigMap, dataOfSecret } from '../volumes/payload.js';
import type { ContainerStart } from './actions.js';
import { buildContainer } from './containerspec.js';
import { readEnvFile } from './envfile.js';
import { buildEnvironment, type References } from './environment.js';
import { targetOf } from './ephemeral.js';
import type { StepContext } from './executors.js';
import type { FeatureReader } from './features.js';
import type { HostFiles } from './hostfiles.js';
import { containerField, podNamespace, podUid } from './names.js';
import { ConfigError, type ImageResult, type PodCgroups, type PodImages, type PodVolumes } from './needs.js';
import type { PodConfig } from './nodeconfig.js';
import { notSupported } from './sandbox.js';
import { buildSecurity, requireNonRoot, requireSeccompFile } from './security.js';
import { unsupportedInContainer, unsupportedInPod } from './unsupported.js';

export interface ContainerRequest {
  spec: Container;
  start: ContainerStart;
  ips: readonly string[];
}

/** Undefined when the container has to wait; throws `ConfigError` when its spec cannot be satisfied. */
export type PrepareContainer = (
  request: ContainerRequest,
  context: StepContext,
) => Promise<ContainerSpec | undefined>;

export interface PreparationOptions {
  images: PodImages;
  volumes: PodVolumes;
  cgroups: PodCgroups;
  objects: ReferencedObjects;
  hostFiles: HostFiles;
  services(): readonly Service[];
  allocatable(): Readonly<Record<string, string>>;
  hostIPs: readonly string[];
  nodeName: string;
  clock: Clock;
  features: FeatureReader;
  config: PodConfig;
  enqueue(uid: string): void;
}

/** An image that is present answers much faster than this; a pull takes longer. */
const imageAnswerMs = 300;

interface ImageJob {
  done: Promise<void>;
  result: ImageResult | undefined;
}

export function createPreparation(options: PreparationOptions): {
  prepare: PrepareContainer;
  cancel(uid: string): void;
} {
  /** By pod, then container and attempt. */
  const jobs = new Map<string, { stop: AbortController; byContainer: Map<string, ImageJob> }>();

  function imageJob({ spec, start }: ContainerRequest, { pod, record }: StepContext): ImageJob {
    const ofPod = jobs.get(record.uid) ?? {
      stop: new AbortController(),
      byContainer: new Map<string, ImageJob>(),
    };
    jobs.set(record.uid, ofPod);
    const key = `${spec.name}/${start.attempt}`;
    const known = ofPod.byContainer.get(key);
    if (known) return known;
    const job: ImageJob = { done: Promise.resolve(), result: undefined };
    job.done = options.images
      .ensure(pod, spec, ofPod.stop.signal)
      .catch(
        (error: unknown): ImageResult => ({
          result: 'failed',
          reason: 'ErrImagePull',
          message: String(error),
          retryAfterMs: 5000,
        }),
      )
      .then((result) => {
        job.result = result;
        if (record.pulling.delete(spec.name)) options.enqueue(record.uid);
      });
    ofPod.byContainer.set(key, job);
    return job;
  }

  async function image(
    request: ContainerRequest,
    context: StepContext,
  ): Promise<(ImageResult & { result: 'present' }) | undefined> {
    const { record, signal } = context;
    const { name } = request.spec;
    const job = imageJob(request, context);
    await settlesWithin(job.done, imageAnswerMs, options.clock, signal);
    if (!job.result) {
      record.pulling.add(name);
      return undefined;
    }
    jobs.get(record.uid)?.byContainer.delete(`${name}/${request.start.attempt}`);
    if (job.result.result === 'present') return job.result;
    const { reason, message } = job.result;
    // Asked again, the image manager answers ImagePullBackOff: the waiting reason then changes as users know it.
    const retryAfterMs = reason === 'ErrImagePull' ? 1000 : job.result.retryAfterMs;
    const retryAt =
      retryAfterMs === undefined ? undefined : new Date(options.clock.now().getTime() + retryAfterMs);
    record.obstacles.set(name, { reason, message, retryAt });
    return undefined;
  }

  async function references(pod: Pod, spec: Container, signal: AbortSignal): Promise<References> {
    const names = referencedNames(spec);
    const request = (name: string) => ({ namespace: podNamespace(pod), name, podUid: podUid(pod) });
    const texts = (data: ReadonlyMap<string, Buffer>): Map<string, string> =>
      new Map([...data].map(([key, value]) => [key, value.toString()]));
    const configMaps = new Map<string, Map<string, string>>();
    const secrets = new Map<string, Map<string, string>>();
    await Promise.all([
      ...names.configMaps.map(async (name) => {
        const found = await options.objects.configMap(request(name), signal);
        if (found) configMaps.set(name, texts(dataOfConfigMap(found)));
      }),
      ...names.secrets.map(async (name) => {
        const found = await options.objects.secret(request(name), signal);
        if (found) secrets.set(name, texts(dataOfSecret(found)));
      }),
    ]);
    const files = new Map<string, string>();
    for (const { volumeName, path } of names.files) {
      const text = await envFile(pod, spec, volumeName, path);
      if (text !== undefined) files.set(`${volumeName}/${path}`, text);
    }
    return {
      configMap: (name) => configMaps.get(name),
      secret: (name) => secrets.get(name),
      envFile: (volume, path) => files.get(`${volume}/${path}`),
    };
  }

  /** The volume need not be mounted in the container: where it is, its mount would tell. */
  async function envFile(
    pod: Pod,
    spec: Container,
    volume: string,
    path: string,
  ): Promise<string | undefined> {
    const volumeMounts = [{ name: volume, mountPath: '/' }];
    const [root] = await options.volumes.mountsOf(pod, { name: spec.name, volumeMounts }, new Map());
    if (!root) return undefined;
    return readEnvFile(root.hostPath, path).catch((error: unknown) => {
      const what = error instanceof Error ? error.message : String(error);
      throw new ConfigError(`fileKeyRef: volume ${volume}: ${what}`, { cause: error });
    });
  }

  async function prepare(
    request: ContainerRequest,
    context: StepContext,
  ): Promise<ContainerSpec | undefined> {
    const { pod, signal } = context;
    const { spec, start, ips } = request;
    const features = await options.features();
    const refused = [...unsupportedInPod(pod, features), ...unsupportedInContainer(pod, spec, features)];
    if (spec.volumeDevices?.length && !options.volumes.devicesOf)
      refused.push(containerField(pod, spec.name, 'volumeDevices'));
    if (refused.length > 0) throw notSupported(refused);
    const [found, looked] = await Promise.all([image(request, context), references(pod, spec, signal)]);
    const cgroupParent = options.cgroups.parentOf(pod);
    if (!found) return undefined;
    requireNonRoot(pod, spec, found.user);
    const { config } = options;
    const security = buildSecurity(pod, spec, { imageUser: found.user, features, ...config });
    await requireSeccompFile(pod, spec, security, config.seccompDirectory);
    const { hostIPs, nodeName } = options;
    const facts = {
      references: looked,
      services: options.services(),
      ips,
      hostIPs,
      nodeName,
      allocatable: options.allocatable(),
    };
    const env = buildEnvironment(pod, spec, facts);
    const own = await options.volumes.mountsOf(pod, spec, env);
    const devices = (await options.volumes.devicesOf?.(pod, spec)) ?? [];
    const managed = await options.hostFiles.mountsOf(pod, spec, start.attempt);
    const resources = options.cgroups.resourcesOf(pod, spec);
    const mounts = withoutShadowed(managed, own);
    return buildContainer(pod, spec, {
      start,
      nodeName,
      imageId: found.imageId,
      cgroupParent,
      env,
      mounts,
      devices,
      resources,
      security,
      pidOf: targetOf(pod, spec.name, context.record.observed()),
    });
  }

  return {
    prepare,
    cancel(uid) {
      jobs.get(uid)?.stop.abort(new Error('the pod is gone'));
      jobs.delete(uid);
    },
  };
}

/** A volume mounted over one of the managed files takes its place. */
const withoutShadowed = (managed: readonly Mount[], own: readonly Mount[]): Mount[] => [
  ...managed.filter(({ containerPath }) => !own.some((mount) => mount.containerPath === containerPath)),
  ...own,
];

interface ReferencedNames {
  configMaps: string[];
  secrets: string[];
  files: { volumeName: string; path: string }[];
}

function referencedNames(spec: Container): ReferencedNames {
  const variables = (spec.env ?? []).map(({ valueFrom }) => valueFrom);
  const sources = spec.envFrom ?? [];
  const unique = (names: readonly (string | undefined)[]): string[] => [
    ...new Set(names.filter((name) => name !== undefined)),
  ];
  return {
    configMaps: unique([
      ...variables.map((from) => from?.configMapKeyRef?.name),
      ...sources.map((from) => from.configMapRef?.name),
    ]),
    secrets: unique([
      ...variables.map((from) => from?.secretKeyRef?.name),
      ...sources.map((from) => from.secretRef?.name),
    ]),
    files: variables.flatMap((from) => (from?.fileKeyRef ? [from.fileKeyRef] : [])),
  };
}

/** Whether the environment can only be known once the pod has its address. */
export const needsPodIp = (spec: Container): boolean =>
  (spec.env ?? []).some(({ valueFrom }) => valueFrom?.fieldRef?.fieldPath.startsWith('status.podIP'));
