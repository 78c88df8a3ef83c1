/**
 * A container runtime that is down when the agent starts is no reason to fail: the Node is registered and says what it
 * waits for, and the start goes on when the runtime answers. Called by `agent/main.ts`.
 */
import { createNodeComponent } from '../node/node.js';
import { type Runtime, RuntimeError, type RuntimeVersion } from '../runtime/runtime.js';
import type { Base } from './base.js';
import type { Caches } from './caches.js';
import type { Membership } from './membership.js';

const lookMs = 1_000;

export interface WaitInput {
  runtime: Runtime;
  membership: Membership;
  caches: Caches;
}

/** Rejects when the agent stops meanwhile, and for a runtime that answers and cannot be used. */
export async function whenRuntimeAnswers(base: Base, input: WaitInput): Promise<RuntimeVersion> {
  const { runtime, membership, caches } = input;
  const first = await ask(runtime);
  if (first) return first;
  base.log.warn({}, 'the container runtime does not answer, waiting for it');
  const node = createNodeComponent({
    client: membership.client,
    options: base.options,
    runtime,
    nodes: caches.nodes,
    address: membership.address,
    recorder: caches.recorder,
    checks: [
      { name: 'start', healthy: () => ({ ok: false, reason: 'the agent waits for the container runtime' }) },
    ],
    pressures: () => new Set(),
    dataDirectory: base.directory,
    clock: base.clock,
    log: base.log,
  });
  await node.start(base.signal);
  try {
    for (;;) {
      await base.clock.sleep(lookMs, base.signal);
      const version = await ask(runtime);
      if (version) return version;
    }
  } finally {
    await node.stop();
  }
}

async function ask(runtime: Runtime): Promise<RuntimeVersion | undefined> {
  try {
    return await runtime.version();
  } catch (error) {
    if (error instanceof RuntimeError && error.kind === 'unavailable') return undefined;
    throw error;
  }
}
