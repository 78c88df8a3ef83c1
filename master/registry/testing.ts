/**
 * Builders for tests of the registry and of what stands on it: a registry over the memory store with a clock the
 * test brings. Imported by tests only.
 */

import { ApiError } from '../../src/api/errors.js';
import type { Clock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import type { Resource } from '../resources/resource.js';
import { createResources } from '../resources/table.js';
import { MemoryStore } from '../store/memory.js';
import { createRegistry, type RegistryOptions, stamp } from './generic.js';
import type { RequestContext } from './registry.js';

export interface Warned extends RequestContext {
  warnings: string[];
}

export function contextOf(given: Partial<RequestContext> = {}): Warned {
  const warnings: string[] = [];
  return {
    user: { name: 'admin', groups: ['system:masters'] },
    signal: new AbortController().signal,
    dryRun: false,
    fieldValidation: 'Strict',
    fieldManager: 'test',
    warn: (message) => warnings.push(message),
    ...given,
    warnings,
  };
}

export interface TestRegistry {
  registry: ReturnType<typeof createRegistry>;
  store: MemoryStore;
  /** The row of a kind by its plural name. */
  rowOf(resource: string): Resource;
}

/** `watchLimit` is how many events may wait for one watcher. */
export type TestRegistryOptions = Partial<Omit<RegistryOptions, 'store'>> & {
  store?: MemoryStore;
  watchLimit?: number;
};

/** With the namespace `default` in place. */
export async function createTestRegistry(
  more: { clock: Clock } & TestRegistryOptions,
): Promise<TestRegistry> {
  const store =
    more.store ?? new MemoryStore({ stamp, ...(more.watchLimit && { watchLimit: more.watchLimit }) });
  let uids = 0;
  const newUid = (): string => {
    uids += 1;
    return `00000000-0000-4000-8000-${String(uids).padStart(12, '0')}`;
  };
  const options = {
    store,
    newUid,
    resources: createResources(),
    log: silentLogger,
    freeze: true,
    ...more,
  };
  const registry = createRegistry(options);
  await registry.start(new AbortController().signal);
  const rowOf = (name: string): Resource => {
    const found = registry.resources.rows.find((resource) => resource.type.resource === name);
    if (!found) throw new Error(`no resource ${name}`);
    return found;
  };
  await registry.create(rowOf('namespaces'), undefined, { metadata: { name: 'default' } }, contextOf());
  return { registry, store, rowOf };
}

/** What a refused write complains about, one `field: message` per cause; `[]` when it was not refused at all. */
export async function causesOf(write: Promise<unknown>): Promise<string[]> {
  try {
    await write;
    return [];
  } catch (error) {
    if (!(error instanceof ApiError) || !error.details?.causes) throw error;
    return error.details.causes.map(({ field = '', message = '' }) => `${field}: ${message}`);
  }
}
