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

/**
 * The resources of an APIResourceList; `undefined` when it is none. One that is not as it must be is left out: clients read
 * the documents of all servers as one, and one wrong field would keep them from reading any; of those with one name, the last is kept.
 */
export function resourcesOf(document: unknown): readonly ApiResource[] | undefined {
  const { kind, resources } = (document ?? {}) as { kind?: unknown; resources?: unknown };
  if (kind !== 'APIResourceList' || !Array.isArray(resources)) return undefined;
  const good = resources.flatMap((one) => resourceOf(one) ?? []);
  return [...new Map(good.map((one) => [one.name, one])).values()];
}

/** With the fields that are ours to show, null as absent; `undefined` when one of them is of another type. */
function resourceOf(one: unknown): ApiResource | undefined {
  const given = new Map(Object.entries(one ?? {}).filter(([, value]) => value !== null));
  const [name, kind, verbs, namespaced = false] = ['name', 'kind', 'verbs', 'namespaced'].map((key) =>
    given.get(key),
  );
  const texts = ['singularName', 'group', 'version'].flatMap((key) =>
    given.has(key) ? [[key, given.get(key)] as const] : [],
  );
  const shortNames = given.get('shortNames') ?? [];
  const categories = given.get('categories') ?? [];
  if (!isText(name) || name === '' || !isText(kind) || !texts.every(([, text]) => isText(text)))
    return undefined;
  if (typeof namespaced !== 'boolean') return undefined;
  if (!areTexts(verbs) || !areTexts(shortNames) || !areTexts(categories)) return undefined;
  return { name, kind, verbs, namespaced, shortNames, categories, ...Object.fromEntries(texts) };
}

const isText = (value: unknown): value is string => typeof value === 'string';
const areTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
