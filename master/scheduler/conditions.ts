/**
 * Writes why a pod has no node into its `PodScheduled` condition, when that changed. Called by `scheduler.ts`.
 *
 * The write carries the version it was made from: it is refused, and thought over, when the pod has been bound or
 * changed meanwhile.
 */
import { pods } from '../../src/api/kinds.js';
import { findCondition, withCondition } from '../../src/api/meta.js';
import type { Pod, PodCondition } from '../../src/api/types.js';
import type { Cache } from '../../src/client/cache.js';
import type { Client } from '../../src/client/client.js';
import { type Controller, createController } from '../../src/client/controller.js';
import { ifFound } from '../../src/client/found.js';
import type { ReconcileContext } from '../../src/client/reconciler.js';
import { type Clock, toTime } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import { isPending } from './podinfo.js';

export interface ConditionWriter extends Controller {
  /** The pod is to say that it is unschedulable, with this message. */
  report(key: string, message: string): void;
  /** What was to be said is not true any more. */
  retract(key: string): void;
}

export interface ConditionWriterOptions {
  client: Pick<Client, 'update'>;
  cache: Cache<Pod>;
  clock: Clock;
  log: Logger;
}

const workers = 4;

export function createConditionWriter({
  client,
  cache,
  clock,
  log,
}: ConditionWriterOptions): ConditionWriter {
  const messages = new Map<string, string>();

  async function write(key: string, { signal }: ReconcileContext): Promise<undefined> {
    const pod = cache.getByKey(key);
    const message = messages.get(key);
    if (message === undefined || !pod || !isPending(pod)) {
      messages.delete(key);
      return;
    }
    const next = withUnschedulable(pod, message, toTime(clock.now()));
    if (!next) {
      if (messages.get(key) === message) messages.delete(key);
      return;
    }
    await ifFound(client.update(pods, next, { subresource: 'status', signal }));
    if (messages.get(key) === message) messages.delete(key);
  }

  const controller = createController({
    name: 'podscheduled',
    reconciler: { reconcile: write },
    sources: [],
    workers,
    clock,
    log,
  });
  return {
    ...controller,
    report(key, message) {
      messages.set(key, message);
      controller.enqueue(key);
    },
    retract: (key) => void messages.delete(key),
  };
}

/** The pod with the condition; undefined when it has it already. */
export function withUnschedulable(pod: Pod, message: string, now: string): Pod | undefined {
  const old = findCondition(pod.status?.conditions, 'PodScheduled');
  const isSaid = old?.status === 'False' && old.reason === 'Unschedulable' && old.message === message;
  if (isSaid) return undefined;
  const condition: PodCondition = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message,
    lastTransitionTime: now,
  };
  return {
    ...pod,
    status: { ...pod.status, conditions: withCondition(pod.status?.conditions, condition) },
  };
}
