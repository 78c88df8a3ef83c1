/**
 * 2. Contract: the generic read and write path of the API, between HTTP (or the in-process client) and the store.
 *
 * Everything the HTTP layer does for a kind goes through this interface; it holds no per-kind code. Objects go in
 * decoded and defaulted-or-not; what comes out are the bytes that were serialised when the object was written, next to
 * the decoded, frozen object for whoever needs to look inside.
 */
import type { ObjectRef } from '../../src/api/meta.js';
import type { KubeObject } from '../../src/api/types.js';
import type { DeleteOptions, ListOptions, Patch, WatchOptions } from '../../src/client/client.js';
import type { Resource } from '../resources/resource.js';
import type { ResourceSet } from '../resources/set.js';

/** One stored object: its JSON as served, and the same decoded (shared: never change it). */
export interface Stored<T extends KubeObject = KubeObject> {
  bytes: Buffer;
  object: T;
}

export interface StoredList<T extends KubeObject = KubeObject> {
  items: Stored<T>[];
  resourceVersion: string;
  continue?: string;
  remainingItemCount?: number;
}

export type StoredEvent<T extends KubeObject = KubeObject> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; item: Stored<T> }
  | { type: 'BOOKMARK'; resourceVersion: string; initialEventsEnd: boolean };

export interface User {
  name: string;
  groups: readonly string[];
  uid?: string;
  /** What the way of proving it adds, such as the pod of a token. */
  extra?: Readonly<Record<string, readonly string[]>>;
}

/** What every call carries: who, and what the request asked for. */
export interface RequestContext {
  user: User;
  signal: AbortSignal;
  dryRun: boolean;
  fieldValidation: 'Ignore' | 'Warn' | 'Strict';
  fieldManager: string;
  /** Collected into `Warning: 299` headers, the same words once: a patch that is applied again warns again. */
  warn(message: string): void;
  /** Takes what admission and authorization want in the audit log; absent where nobody keeps one. */
  annotate?(key: string, value: string): void;
  /** Create-, Update-, Patch- or DeleteOptions as sent, for admission. */
  options?: Readonly<Record<string, unknown>> | undefined;
  /** Asked before an apply or an update creates what is not there: rejects with 403 unless the user may. Absent: the user may. */
  mayCreate?: (() => Promise<unknown>) | undefined;
  /** The body was decoded for this call alone: the registry takes it over instead of copying it. */
  ownsBody?: boolean;
}

/** `created` distinguishes 201 from 200 (an update or apply may create). */
export interface WriteResult<T extends KubeObject = KubeObject> extends Stored<T> {
  created: boolean;
}

export interface DeleteResult<T extends KubeObject = KubeObject> extends Stored<T> {
  /** False while finalizers or a grace period keep the object: the answer is then the object, else a `Status`. */
  gone: boolean;
}

export interface Registry {
  readonly resources: ResourceSet;
  /** With `subresource` (`status`, `scale`) the view of it; `scale` answers an autoscaling/v1 Scale. */
  get<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    context: RequestContext,
    subresource?: string,
  ): Promise<Stored<T>>;
  list<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions,
    context: RequestContext,
  ): Promise<StoredList<T>>;
  /** Ends when `context.signal` aborts or `timeoutSeconds` passed; throws `Expired` for compacted or too slow. */
  watch<T extends KubeObject>(
    resource: Resource<T>,
    options: WatchOptions,
    context: RequestContext,
  ): AsyncIterable<readonly StoredEvent<T>[]>;
  /** `body` is the decoded request body, not yet checked against the schema. */
  create<T extends KubeObject>(
    resource: Resource<T>,
    namespace: string | undefined,
    body: unknown,
    context: RequestContext,
  ): Promise<WriteResult<T>>;
  update<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    body: unknown,
    context: RequestContext,
    subresource?: string,
  ): Promise<WriteResult<T>>;
  patch<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: Patch,
    context: RequestContext,
    subresource?: string,
  ): Promise<WriteResult<T>>;
  delete<T extends KubeObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    options: DeleteOptions,
    context: RequestContext,
  ): Promise<DeleteResult<T>>;
  deleteCollection(
    resource: Resource,
    list: ListOptions,
    options: DeleteOptions,
    context: RequestContext,
  ): Promise<StoredList>;
  /** Asks admission about a connection to an object, with its options as sent; rejects when it must not be. */
  connect(
    resource: Resource,
    ref: ObjectRef,
    subresource: string,
    options: KubeObject,
    context: RequestContext,
  ): Promise<void>;
  /** POST to `binding` (later `eviction`, `token`): per-kind actions that are not plain writes. */
  post(
    resource: Resource,
    ref: ObjectRef,
    subresource: string,
    body: unknown,
    context: RequestContext,
  ): Promise<unknown>;
}
