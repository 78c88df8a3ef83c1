/**
 * 4. Contract: how anyone talks to the API. One interface, two transports: HTTPS (`rest.ts`) and, inside the master
 * process, the registry itself (`master/registry/client.ts`). A caller cannot tell them apart.
 *
 * Objects handed out may be shared with caches: they are read-only; copy (`structuredClone`) before a change.
 * Every method rejects with `ApiError`; a broken connection rejects with an `ApiError` of reason `ServiceUnavailable`.
 */
import type { ResourceType } from '../api/kinds.js';
import type { ObjectRef } from '../api/meta.js';
import type { KubeObject, List, WatchEvent } from '../api/types.js';

export interface CallOptions {
  signal?: AbortSignal;
}

export interface WriteOptions extends CallOptions {
  dryRun?: boolean;
  fieldManager?: string;
  /** What happens to unknown fields; `Ignore` by default, like the Kubernetes API. */
  fieldValidation?: 'Ignore' | 'Warn' | 'Strict';
  /** `status`, `scale`, `binding`...: the write goes to the subresource. */
  subresource?: string;
}

export interface ListOptions extends CallOptions {
  /** All namespaces when absent. */
  namespace?: string | undefined;
  labelSelector?: string;
  fieldSelector?: string;
  limit?: number;
  continue?: string;
  /** Absent: most recent. `0`: any. Else not older than, or exact with `resourceVersionMatch`. */
  resourceVersion?: string;
  resourceVersionMatch?: 'Exact' | 'NotOlderThan';
}

export interface WatchOptions extends ListOptions {
  allowBookmarks?: boolean;
  /** The server ends the watch after this time. */
  timeoutSeconds?: number;
  /** Stream the present state first, then a bookmark annotated `k8s.io/initial-events-end` (WatchList). */
  sendInitialEvents?: boolean;
}

export interface DeleteOptions extends CallOptions {
  gracePeriodSeconds?: number;
  propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  preconditions?: { uid?: string; resourceVersion?: string };
  dryRun?: boolean;
}

/** `apply` is server-side apply, `json` a list of RFC 6902 operations. */
export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export interface Patch {
  type: PatchType;
  body: unknown;
  /** Of `apply`: take over fields that others manage instead of failing with a conflict. */
  force?: boolean;
}

export interface Client {
  get<T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef, options?: CallOptions): Promise<T>;
  list<T extends KubeObject>(type: ResourceType<T>, options?: ListOptions): Promise<List<T>>;
  create<T extends KubeObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  /** Replaces; with `metadata.resourceVersion` set it fails with `Conflict` when somebody wrote in between. */
  update<T extends KubeObject>(type: ResourceType<T>, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    patch: Patch,
    options?: WriteOptions,
  ): Promise<T>;
  /** POST to a subresource: `binding`, `eviction`, `token`. */
  post<R>(
    type: ResourceType,
    ref: ObjectRef,
    subresource: string,
    body: unknown,
    options?: CallOptions,
  ): Promise<R>;
  delete<T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef, options?: DeleteOptions): Promise<void>;
  deleteCollection(type: ResourceType, list: ListOptions, options?: DeleteOptions): Promise<void>;
  /**
   * Every change after `resourceVersion`, in order, without gap or repeat. Ends when the server ends it or `signal`
   * aborts; throws `ApiError` `Expired` when the version is too old. An ERROR event is thrown, never yielded.
   */
  watch<T extends KubeObject>(type: ResourceType<T>, options: WatchOptions): AsyncIterable<ObjectEvent<T>>;
}

/** A watch event without ERROR, which the client throws. */
export type ObjectEvent<T> = Exclude<WatchEvent<T>, { type: 'ERROR' }>;
