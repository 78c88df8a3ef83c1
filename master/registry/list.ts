/**
 * 2. LIST: the objects of a kind at one revision, filtered, in pages.
 *
 * Unset, `0` and NotOlderThan all read the newest state (it is in memory and never older than what was asked); Exact
 * and continue tokens read the state as of their revision.
 */
import type { KubeObject } from '../../src/api/types.js';
import type { ListOptions } from '../../src/client/client.js';
import type { Resource } from '../resources/resource.js';
import { type Entry, type Range, type RangeOptions, RevisionUnavailable } from '../store/store.js';
import { type Environment, fromStoreError, tooLargeVersion, toStored } from './environment.js';
import { prefixOf, storeKeyOf } from './keys.js';
import type { Stored, StoredList } from './registry.js';
import { type Selection, selectionOf } from './selection.js';
import {
  type Continuation,
  ContinueExpired,
  checkListOptions,
  decodeContinue,
  encodeContinue,
  parseVersion,
} from './version.js';

/** Least keys read per step when a selector thins out a limited list. */
const chunkSize = 500;

export async function list<T extends KubeObject>(
  env: Environment,
  resource: Resource<T>,
  options: ListOptions,
): Promise<StoredList<T>> {
  checkListOptions(options);
  const selection = selectionOf(resource, options);
  const prefix = prefixOf(resource.type, resource.type.namespaced ? options.namespace : undefined);
  const from = options.continue ? decodeContinue(options.continue, prefix) : startOf(env, options);
  const single = options.continue ? undefined : singleKey(resource, options, selection);
  if (single !== undefined && from.revision < 0) return listOne(env, single, selection);

  const limit = options.limit && options.limit > 0 ? options.limit : Number.POSITIVE_INFINITY;
  const items: Stored<T>[] = [];
  let { revision, after } = from;
  for (;;) {
    const wanted = limit - items.length;
    const page = await readRange(env, prefix, {
      ...(revision >= 0 && { revision }),
      ...(after && { after }),
      ...(wanted !== Number.POSITIVE_INFINITY && {
        limit: selection.matches ? Math.max(wanted, chunkSize) : wanted,
      }),
    });
    revision = page.revision;
    const taken = take<T>(env, page.entries, selection, wanted, items);
    after = page.entries[taken - 1]?.key ?? after;
    const left = page.remaining + page.entries.length - taken;
    if (left === 0) return { items, resourceVersion: String(revision) };
    if (items.length >= limit) {
      return {
        items,
        resourceVersion: String(revision),
        continue: encodeContinue({ revision, after }),
        ...(!selection.matches && { remainingItemCount: left }),
      };
    }
  }
}

/** Adds the matching ones to `items` until there are `wanted` more; returns how many entries were looked at. */
function take<T extends KubeObject>(
  env: Environment,
  entries: readonly Entry[],
  selection: Selection,
  wanted: number,
  items: Stored<T>[],
): number {
  let found = 0;
  for (const [index, entry] of entries.entries()) {
    const stored = toStored<T>(env, entry);
    if (selection.matches && !selection.matches(stored.object)) continue;
    items.push(stored);
    found += 1;
    if (found >= wanted) return index + 1;
  }
  return entries.length;
}

/** -1 stands for the present. */
function startOf(env: Environment, options: ListOptions): Continuation {
  const version = parseVersion(options.resourceVersion);
  const current = env.store.revision();
  if (version !== undefined && version > current) throw tooLargeVersion(version, current);
  const exact =
    options.resourceVersionMatch === 'Exact' || (limited(options) && !options.resourceVersionMatch);
  return { revision: exact && version ? version : -1, after: '' };
}

/** A limited list with a version and no match rule means exactly that version, as Kubernetes documents it. */
const limited = (options: ListOptions): boolean => options.limit !== undefined && options.limit > 0;

/** A selection by name needs no scan. */
function singleKey(resource: Resource, options: ListOptions, selection: Selection): string | undefined {
  if (selection.name === undefined) return undefined;
  if (!resource.type.namespaced) return storeKeyOf(resource.type, { name: selection.name });
  const namespace = options.namespace || selection.namespace;
  return namespace ? storeKeyOf(resource.type, { namespace, name: selection.name }) : undefined;
}

async function listOne<T extends KubeObject>(
  env: Environment,
  key: string,
  selection: Selection,
): Promise<StoredList<T>> {
  const revision = env.store.revision();
  const entry = await env.store.get(key);
  if (!entry) return { items: [], resourceVersion: String(revision) };
  const stored = toStored<T>(env, entry);
  const matches = !selection.matches || selection.matches(stored.object);
  return { items: matches ? [stored] : [], resourceVersion: String(Math.max(revision, entry.modRevision)) };
}

async function readRange(env: Environment, prefix: string, options: RangeOptions): Promise<Range> {
  try {
    return await env.store.range(prefix, options);
  } catch (error) {
    if (error instanceof RevisionUnavailable && error.kind === 'compacted' && options.after !== undefined) {
      throw new ContinueExpired(encodeContinue({ revision: -1, after: options.after }));
    }
    throw fromStoreError(error);
  }
}
