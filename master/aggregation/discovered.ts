/**
 * 1. What aggregated API servers say that they serve, as they said it last: merged into our discovery documents. Pure data
 * behind a version that grows with every change, so that documents are made again.
 */
import type { APIServiceSpec } from '../../src/api/types.js';
import type { Priority } from './priorities.js';

/** `metav1.APIResource`. */
export interface ApiResource {
  name: string;
  singularName?: string;
  namespaced: boolean;
  group?: string;
  version?: string;
  kind: string;
  verbs: readonly string[];
  shortNames?: readonly string[];
  categories?: readonly string[];
}

export interface RemoteVersion {
  group: string;
  version: string;
  priority: Priority;
  /** Empty while it was never reached. */
  resources: readonly ApiResource[];
  /** It could not be asked lately. */
  isStale: boolean;
}

export class Discovered {
  readonly #byName = new Map<string, RemoteVersion>();
  #version = 0;

  get version(): number {
    return this.#version;
  }

  get list(): readonly RemoteVersion[] {
    return [...this.#byName.values()];
  }

  /** `resources` undefined: it did not answer; what it said before is kept, marked as stale. */
  put(name: string, spec: APIServiceSpec, resources: readonly ApiResource[] | undefined): void {
    const old = this.#byName.get(name);
    const next: RemoteVersion = {
      group: spec.group ?? '',
      version: spec.version ?? '',
      priority: { group: spec.groupPriorityMinimum, version: spec.versionPriority },
      resources: resources ?? old?.resources ?? [],
      isStale: resources === undefined,
    };
    if (JSON.stringify(next) === JSON.stringify(old)) return;
    this.#byName.set(name, next);
    this.#version += 1;
  }

  remove(name: string): void {
    if (this.#byName.delete(name)) this.#version += 1;
  }
}

/** The resources of an APIResourceList; `undefined` when it is none. */
export function resourcesOf(document: unknown): readonly ApiResource[] | undefined {
  const { kind, resources } = (document ?? {}) as { kind?: unknown; resources?: unknown };
  if (kind !== 'APIResourceList' || !Array.isArray(resources)) return undefined;
  return resources.filter(
    (one): one is ApiResource =>
      typeof one === 'object' &&
      one !== null &&
      typeof (one as ApiResource).name === 'string' &&
      typeof (one as ApiResource).kind === 'string' &&
      Array.isArray((one as ApiResource).verbs),
  );
}
