/**
 * 2. What every verb of the registry works with, and the few helpers they share. Made by `generic.ts`.
 */
import { ApiError, expired, internalError, type Subject } from '../../src/api/errors.js';
import type { ObjectRef } from '../../src/api/meta.js';
import type { KubeObject } from '../../src/api/types.js';
import { deepFreeze } from '../../src/client/freeze.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import type { Resource } from '../resources/resource.js';
import type { ResourceSet } from '../resources/set.js';
import {
  type Entry,
  RevisionUnavailable,
  type Store,
  StoreReadOnly,
  WatcherTooSlow,
} from '../store/store.js';
import type { Admission } from './admission.js';
import type { AllocationHook } from './allocation.js';
import { decode } from './codec.js';
import type { Expiry } from './expiry.js';
import type { RequestContext, Stored } from './registry.js';
import type { StrategyContext } from './strategy.js';
import type { Action, Virtual } from './virtual.js';

export interface Environment {
  store: Store;
  resources: ResourceSet;
  clock: Clock;
  log: Logger;
  newUid(): string;
  /** In [0, 1); for generated names. */
  random(): number;
  /** Keyed by `resource.group`, such as `services.`. */
  allocators: ReadonlyMap<string, AllocationHook>;
  expiry: Expiry;
  admission: Admission;
  /** Keyed like `allocators`. */
  virtuals: ReadonlyMap<string, Virtual>;
  /** Keyed by `resource.group/subresource`, such as `serviceaccounts./token`. */
  actions: ReadonlyMap<string, Action>;
  /** Freeze what is handed out, so that a caller who changes it fails at once (tests). */
  freeze: boolean;
}

/** How `allocators` and tables are keyed. */
export const resourceKey = (type: { group: string; resource: string }): string =>
  `${type.resource}.${type.group}`;

export function toStored<T extends KubeObject>(env: Environment, entry: Pick<Entry, 'value'>): Stored<T> {
  return shared(env, { bytes: entry.value, object: decode(entry.value) as T });
}

export function shared<T extends KubeObject>(env: Environment, stored: Stored<T>): Stored<T> {
  if (env.freeze) deepFreeze(stored.object);
  return stored;
}

export const subjectOf = (resource: Resource, name: string): Subject => ({
  group: resource.type.group,
  resource: resource.type.resource,
  name,
});

export const kindSubjectOf = (
  resource: Resource,
  name: string,
): { group: string; kind: string; name: string } => ({
  group: resource.type.group,
  kind: resource.type.kind,
  name,
});

export const strategyContext = (env: Environment, context: RequestContext): StrategyContext => ({
  now: env.clock.now(),
  user: context.user.name,
  groups: context.user.groups,
  uid: context.user.uid,
  extra: context.user.extra,
  dryRun: context.dryRun,
});

export const refIn = (resource: Resource, ref: ObjectRef): ObjectRef =>
  resource.type.namespaced ? ref : { name: ref.name };

/** The answer to a version the store has not reached yet; client-go looks for the cause and lists afresh. */
export function tooLargeVersion(asked: number | string, current: number): ApiError {
  return new ApiError('Timeout', `Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}

/** Translates what the store throws; `tooOld` is the wording for a compacted revision. */
export function fromStoreError(
  error: unknown,
  tooOld = 'The resourceVersion for the provided list is too old.',
): unknown {
  if (error instanceof RevisionUnavailable) {
    return error.kind === 'compacted' ? expired(tooOld) : tooLargeVersion(error.message, error.bound);
  }
  if (error instanceof WatcherTooSlow)
    return expired('too old resource version: the watch fell behind and was cut off');
  if (error instanceof StoreReadOnly) {
    return new ApiError('ServiceUnavailable', `the store cannot take writes: ${error.message}`, undefined, {
      cause: error,
    });
  }
  if (error instanceof ApiError) return error;
  return internalError(error);
}
