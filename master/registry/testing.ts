/**
 * Builders for tests of the registry and of what stands on it: a registry over the memory store with a clock that only
 * moves when told. Imported by tests only.
 */
import type { Clock } from '../../src/host/clock.js';
import { silentLogger } from '../../src/host/log.js';
import type { Resource } from '../resources/resource.js';
import { createResources } from '../resources/table.js';
import { MemoryStore } from '../store/memory.js';
import { createRegistry, stamp } from './generic.js';
import type { RequestContext } from './registry.js';

/** Time stands still until `advance`, which fires what is due in order. */
export class ManualClock implements Clock {
  #ms = Date.parse('2026-01-01T00:00:00Z');
  #timers: { atMs: number; run: () => void }[] = [];

  now(): Date {
    return new Date(this.#ms);
  }

  monotonicMs(): number {
    return this.#ms;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      this.after(ms, resolve);
    });
  }

  after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.#ms + ms, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  get waiting(): number {
    return this.#timers.length;
  }

  async advance(ms: number): Promise<void> {
    const end = this.#ms + ms;
    for (;;) {
      await settled();
      const due = this.#timers.filter((timer) => timer.atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
      if (!due) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#ms = Math.max(this.#ms, due.atMs);
      due.run();
    }
    this.#ms = end;
    await settled();
  }
}

/** Everything that was ready to run has run. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

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
  clock: ManualClock;
  /** The row of a kind by its plural name. */
  rowOf(resource: string): Resource;
}

/** With the namespace `default` in place. */
export async function createTestRegistry(
  more: Partial<Parameters<typeof createRegistry>[0]> = {},
): Promise<TestRegistry> {
  const store = new MemoryStore({ stamp });
  const clock = new ManualClock();
  let uids = 0;
  const newUid = (): string => {
    uids += 1;
    return `00000000-0000-4000-8000-${String(uids).padStart(12, '0')}`;
  };
  const options = {
    store,
    clock,
    newUid,
    resources: createResources(),
    log: silentLogger,
    freeze: true,
    ...more,
  };
  const registry = createRegistry(options);
  await registry.start(new AbortController().signal);
  const rowOf = (name: string): Resource => {
    const found = registry.resources.find((resource) => resource.type.resource === name);
    if (!found) throw new Error(`no resource ${name}`);
    return found;
  };
  await registry.create(rowOf('namespaces'), undefined, { metadata: { name: 'default' } }, contextOf());
  return { registry, store, clock, rowOf };
}
