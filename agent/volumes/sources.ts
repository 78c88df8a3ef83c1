/**
 * Where the files of a volume come from: looks up what a volume refers to and turns it into its payload.
 */
import type { Container, Pod, ProjectedVolumeSource, Volume, VolumeProjection } from '../../src/api/types.js';
import { type FieldFacts, fieldOf, resourceOf } from '../pods/downward.js';
import { podNamespace, podUid } from '../pods/names.js';
import type { ReferencedObjects } from './objects.js';
import {
  type Data,
  dataOfConfigMap,
  dataOfSecret,
  defaultFileMode,
  downwardFiles,
  type Payload,
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

/** Reads the payload of a volume; undefined when the volume has none of its own (emptyDir, hostPath). */
export type ReadPayload = (pod: Pod, volume: Volume, signal: AbortSignal) => Promise<Payload | undefined>;

export function createPayloadReader(options: SourceOptions): ReadPayload {
  const { objects } = options;

  async function configMapData(
    pod: Pod,
    name: string,
    isOptional: boolean,
    signal: AbortSignal,
  ): Promise<Data> {
    const request = { namespace: podNamespace(pod), name, podUid: podUid(pod) };
    const object = await objects.configMap(request, signal);
    if (!object && !isOptional) throw new Error(`configmap "${name}" not found`);
    return object ? dataOfConfigMap(object) : new Map();
  }

  async function secretData(pod: Pod, name: string, isOptional: boolean, signal: AbortSignal): Promise<Data> {
    const request = { namespace: podNamespace(pod), name, podUid: podUid(pod) };
    const object = await objects.secret(request, signal);
    if (!object && !isOptional) throw new Error(`secret "${name}" not found`);
    return object ? dataOfSecret(object) : new Map();
  }

  async function projection(
    pod: Pod,
    source: VolumeProjection,
    mode: number,
    signal: AbortSignal,
  ): Promise<Payload> {
    const { configMap, secret, downwardAPI, serviceAccountToken } = source;
    const isOptional = configMap?.optional ?? secret?.optional ?? false;
    if (configMap)
      return selectItems(
        await configMapData(pod, configMap.name ?? '', isOptional, signal),
        configMap.items,
        { mode, isOptional },
      );
    if (secret)
      return selectItems(await secretData(pod, secret.name ?? '', isOptional, signal), secret.items, {
        mode,
        isOptional,
      });
    if (downwardAPI) return downward(pod, downwardAPI.items ?? [], mode);
    if (serviceAccountToken) {
      const token = await options.tokens.tokenFor(pod, serviceAccountToken, signal);
      return new Map([[serviceAccountToken.path, { data: Buffer.from(token), mode: tokenMode(pod, mode) }]]);
    }
    throw new Error('projected volume source is not supported by this node');
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
    const { configMap, secret } = volume;
    if (configMap) {
      const isOptional = configMap.optional ?? false;
      const data = await configMapData(pod, configMap.name ?? '', isOptional, signal);
      return selectItems(data, configMap.items, {
        mode: configMap.defaultMode ?? defaultFileMode,
        isOptional,
      });
    }
    if (secret) {
      const isOptional = secret.optional ?? false;
      const data = await secretData(pod, secret.secretName ?? '', isOptional, signal);
      return selectItems(data, secret.items, { mode: secret.defaultMode ?? defaultFileMode, isOptional });
    }
    if (volume.downwardAPI)
      return downward(pod, volume.downwardAPI.items ?? [], volume.downwardAPI.defaultMode ?? defaultFileMode);
    return volume.projected ? projected(pod, volume.projected, signal) : undefined;
  };
}

/** A token is for its pod alone: readable by its user (or group, when the pod has one), nobody else. */
const tokenMode = (pod: Pod, mode: number): number => {
  const user = pod.spec?.securityContext?.runAsUser;
  if (pod.spec?.securityContext?.fsGroup !== undefined) return 0o640;
  return user === undefined || user === 0 ? 0o600 : mode;
};
