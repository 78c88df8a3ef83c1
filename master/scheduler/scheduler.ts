/**
 * 6. The scheduler: gives pods that have no node one. Called by the master's composition root.
 *
 *   caches -> feed -> queue ----next----> schedule (pure) --+-- node: assume, bind in the background
 *                  -> cluster state ------^                 +-- none: condition, event, wait for what may help
 *
 * One pod at a time is decided, in memory and without waiting; an assumed pod counts on its node at once, so decisions
 * never wait for the API. All state is rebuilt from the caches, so the process may die at any moment.
 */
import { setImmediate } from 'node:timers/promises';
import { namespaces, nodes, pods, services } from '../../src/api/kinds.js';
import type { Client } from '../../src/client/client.js';
import { createEventRecorder, type EventRecorder } from '../../src/client/events.js';
import { createInformers, type Informers } from '../../src/client/informers.js';
import type { Clock } from '../../src/host/clock.js';
import { type Component, type Health, healthyNow, startAll, stopAll } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import type { Assumed } from './assumed.js';
import { createBinder } from './binder.js';
import { createConditionWriter } from './conditions.js';
import { feed } from './feed.js';
import { isPending, toPodInfo } from './podinfo.js';
import { createSchedulingQueue } from './queue.js';
import { schedule } from './schedule.js';
import { createClusterState } from './snapshot.js';

export interface SchedulerOptions {
  client: Client;
  clock: Clock;
  log: Logger;
  /** Shared caches, started by their owner; own ones when absent. */
  informers?: Informers;
  /** Reports as `default-scheduler`; an own one when absent. */
  recorder?: EventRecorder;
}

export function createScheduler(options: SchedulerOptions): Component {
  const { client, clock } = options;
  const log = options.log.child({ component: 'scheduler' });
  /** Run with the scheduler, in this order. */
  const parts: Component[] = [];
  const informers = options.informers ?? adopt(parts, createInformers({ client, clock, log }));
  const recorder =
    options.recorder ??
    adopt(parts, createEventRecorder({ client, clock, log, component: 'default-scheduler' }));
  const sources = {
    pods: informers.get(pods),
    nodes: informers.get(nodes),
    services: informers.get(services),
    namespaces: informers.get(namespaces),
  };
  const state = createClusterState();
  const queue = createSchedulingQueue(clock);
  const assumed: Assumed = new Map();
  const binder = adopt(parts, createBinder({ client, recorder, state, queue, assumed, clock, log }));
  const conditions = adopt(parts, createConditionWriter({ client, cache: sources.pods, clock, log }));
  const stopping = new AbortController();
  let unsubscribe = (): void => undefined;
  let running: Promise<void> = Promise.resolve();
  let startAt = 0;

  async function run(): Promise<void> {
    for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
      try {
        decide(key);
      } catch (err) {
        log.error({ err, pod: key }, 'a pod could not be scheduled, will retry');
        queue.failed(key);
      }
      // Bindings, watches and, in the master, requests have their turn between two pods.
      await setImmediate();
    }
  }

  function decide(key: string): void {
    const pod = sources.pods.getByKey(key);
    if (!pod || !isPending(pod) || assumed.has(key)) {
      queue.remove(key);
      return;
    }
    const info = toPodInfo(pod);
    const decision = schedule(info, state, startAt);
    startAt = decision.nextStart;
    if (decision.node === undefined) {
      queue.refused(key, decision.helpedBy);
      conditions.report(key, decision.message);
      recorder.event(pod, 'Warning', 'FailedScheduling', decision.message);
      return;
    }
    state.place(info, decision.node);
    assumed.set(key, { pod: info, node: decision.node });
    conditions.retract(key);
    binder.enqueue(key);
  }

  return {
    name: 'scheduler',
    async start(signal) {
      signal.addEventListener('abort', () => stopping.abort(signal.reason), {
        once: true,
        signal: stopping.signal,
      });
      stopping.signal.addEventListener('abort', () => queue.shutDown(), { once: true });
      await startAll(parts, stopping.signal);
      for (const source of Object.values(sources)) await source.whenSynced(stopping.signal);
      unsubscribe = feed({ ...sources, state, queue, assumed });
      running = run();
      log.debug({ nodes: state.nodes.length, pending: queue.ready }, 'scheduler started');
    },
    async stop() {
      unsubscribe();
      stopping.abort(new Error('the scheduler stops'));
      await running;
      await stopAll(parts);
    },
    healthy: (): Health => parts.map((part) => part.healthy()).find(({ ok }) => !ok) ?? healthyNow,
  };
}

function adopt<T extends Component>(parts: Component[], part: T): T {
  parts.push(part);
  return part;
}
