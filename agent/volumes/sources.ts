/**
 * Where the files of a volume come from: looks up what a volume refers to and turns it into its payload.
 */
import type {
  Container,
  KeyToPath,
  Pod,
  ProjectedVolumeSource,
  Volume,
  VolumeProjection,
} from '../../src/api/types.js';
import { type FieldFacts, fieldOf, resourceOf } from '../pods/downward.js';
import { podNamespace, podUid } from '../pods/names.js';
import type { ReferencedObjects } from './objects.js';
import {
  dataOfConfigMap,
  dataOfSecret,
  defaultFileMode,
  downwardFiles,
  type Payload,
  requireSafePath,
  selectItems,
} from './payload.js';
import type { ServiceAccountTokens } from './tokens.js';

export interface SourceFacts extends Omit<FieldFacts, 'ips'> {
  allocatable(): Readonly<Record<string, string>>;
}

export interface SourceOptions {
  objects: ReferencedObjects;
  tokens: ServiceAccountTokens;
  facts: SourceFacts;
}

/** What names a ConfigMap or Secret, in a volume of its own or a projected one. */
interface Reference {
  name?: string | undefined;
  items?: KeyToPath[] | undefined;
  optional?: boolean | undefined;
  mode: number;
}

/** Reads the payload of a volume; undefined when the volume has none of its own (emptyDir, hostPath). */
export type ReadPayload = (pod: Pod, volume: Volume, signal: AbortSignal) => Promise<Payload | undefined>;

export function createPayloadReader(options: SourceOptions): ReadPayload {
  const { objects } = options;

  async function ofConfigMap(pod: Pod, from: Reference, signal: AbortSignal): Promise<Payload> {
    const { name = '', items, optional: isOptional = false, mode } = from;
    const request = { namespace: podNamespace(pod), name, podUid: podUid(pod) };
    const object = await objects.configMap(request, signal);
    if (!object && !isOptional) throw new Error(`configmap ${JSON.stringify(name)} not found`);
    const what = { kind: 'configmap', mode, isOptional };
    return selectItems(object ? dataOfConfigMap(object) : new Map(), items, what);
  }

  async function ofSecret(pod: Pod, from: Reference, signal: AbortSignal): Promise<Payload> {
    const { name = '', items, optional: isOptional = false, mode } = from;
    const request = { namespace: podNamespace(pod), name, podUid: podUid(pod) };
    const object = await objects.secret(request, signal);
    if (!object && !isOptional) throw new Error(`secret ${JSON.stringify(name)} not found`);
    const what = { kind: 'secret', mode, isOptional };
    return selectItems(object ? dataOfSecret(object) : new Map(), items, what);
  }

  async function projection(
    pod: Pod,
    source: VolumeProjection,
    mode: number,
    signal: AbortSignal,
  ): Promise<Payload> {
    const { configMap, secret, downwardAPI, serviceAccountToken } = source;
    if (configMap) return ofConfigMap(pod, { ...configMap, mode }, signal);
    if (secret) return ofSecret(pod, { ...secret, mode }, signal);
    if (downwardAPI) return downward(pod, downwardAPI.items ?? [], mode);
    if (serviceAccountToken) {
      const token = await options.tokens.tokenFor(pod, serviceAccountToken, signal);
      const file = { data: Buffer.from(token), ...tokenAccess(pod, mode) };
      return new Map([[requireSafePath(serviceAccountToken.path), file]]);
    }
    const [type = 'none'] = Object.keys(source);
    throw new Error(`projected source ${type} is not supported by this node`);
  }

  async function projected(pod: Pod, source: ProjectedVolumeSource, signal: AbortSignal): Promise<Payload> {
    const mode = source.defaultMode ?? defaultFileMode;
    const parts = await Promise.all(
      (source.sources ?? []).map((part) => projection(pod, part, mode, signal)),
    );
    return new Map(parts.flatMap((part) => [...part]));
  }

  function downward(pod: Pod, items: Parameters<typeof downwardFiles>[0], mode: number): Payload {
    return downwardFiles(items, mode, ({ fieldRef, resourceFieldRef }) => {
      const noSelf: Container | undefined = undefined;
      if (fieldRef) return fieldOf(pod, fieldRef.fieldPath, { ...options.facts, ips: [] });
      return resourceFieldRef ? resourceOf(pod, noSelf, resourceFieldRef, options.facts.allocatable()) : '';
    });
  }

  return async (pod, volume, signal) => {
    const { configMap, secret, downwardAPI } = volume;
    const modeOf = (source: { defaultMode?: number | undefined }): number =>
      source.defaultMode ?? defaultFileMode;
    if (configMap) return ofConfigMap(pod, { ...configMap, mode: modeOf(configMap) }, signal);
    if (secret) {
      return ofSecret(pod, { ...secret, name: secret.secretName, mode: modeOf(secret) }, signal);
    }
    if (downwardAPI) return downward(pod, downwardAPI.items ?? [], modeOf(downwardAPI));
    return volume.projected ? projected(pod, volume.projected, signal) : undefined;
  };
}

/**
 * A token is for its pod alone. Where the pod's user or group is known nobody else may read it; a pod that leaves its
 * user to the image has it readable by all of its own.
 */
function tokenAccess(pod: Pod, mode: number): { mode: number; user?: number } {
  const user = onlyUserOf(pod);
  const hasGroup = pod.spec?.securityContext?.fsGroup !== undefined;
  return { mode: user !== undefined || hasGroup ? 0o600 : mode, ...(user !== undefined && { user }) };
}

/** The user that all containers run as by the spec; undefined when one does not say, or they differ. */
function onlyUserOf({ spec }: Pod): number | undefined {
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const users = new Set(
    containers.map(({ securityContext }) => securityContext?.runAsUser ?? spec?.securityContext?.runAsUser),
  );
  return users.size === 1 ? [...users][0] : undefined;
}
