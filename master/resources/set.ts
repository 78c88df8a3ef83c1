/**
 * All rows that are served now: the built-in ones, and those that come and go with CustomResourceDefinitions. Whoever
 * follows the kinds (routes, discovery, OpenAPI, garbage collection) asks here each time or listens to `onChange`.
 */
import type { ResourceType } from '../../src/api/kinds.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Resource } from './resource.js';

export class ResourceSet {
  readonly #builtIn: readonly Resource[];
  readonly #owned = new Map<string, readonly Resource[]>();
  readonly #listeners = new Set<() => void>();
  #rows: readonly Resource[];
  #byPath: ReadonlyMap<string, Resource>;
  #version = 0;

  constructor(builtIn: readonly Resource[]) {
    this.#builtIn = builtIn;
    this.#rows = builtIn;
    this.#byPath = index(builtIn);
  }

  /** In the order in which discovery lists them; a new array after every change. */
  get rows(): readonly Resource[] {
    return this.#rows;
  }

  /** Grows with every change: what was made from the rows is stale when it differs. */
  get version(): number {
    return this.#version;
  }

  /** The rows that objects are stored under: neither views of another version, nor reviews. */
  get stored(): readonly Resource[] {
    return this.#rows.filter((row) => !row.view && !row.verbs);
  }

  /** The row behind `/apis/<group>/<version>/.../<resource>`. */
  at(group: string, version: string, resource: string): Resource | undefined {
    return this.#byPath.get(pathKey(group, version, resource));
  }

  of<T extends KubeObject>(type: ResourceType<T>): Resource<T> | undefined {
    return this.at(type.group, type.version, type.resource) as Resource<never> | undefined;
  }

  /** Puts `rows` in the place of those that `owner` had; none takes them away. */
  replace(owner: string, rows: readonly Resource[]): void {
    if (rows.length === 0) this.#owned.delete(owner);
    else this.#owned.set(owner, rows);
    this.#rows = [...this.#builtIn, ...[...this.#owned.values()].flat()];
    this.#byPath = index(this.#rows);
    this.#version += 1;
    for (const listener of this.#listeners) listener();
  }

  /** Calls after every change, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

const pathKey = (group: string, version: string, resource: string): string =>
  `${group}/${version}/${resource}`;

/** The first row of a path wins, so that nobody can take a built-in one away. */
function index(rows: readonly Resource[]): ReadonlyMap<string, Resource> {
  const byPath = new Map<string, Resource>();
  for (const row of rows) {
    const key = pathKey(row.type.group, row.type.version, row.type.resource);
    if (!byPath.has(key)) byPath.set(key, row);
  }
  return byPath;
}
