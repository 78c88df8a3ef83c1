/**
 * Tells the API where assumed pods go, many at a time, while the next ones are scheduled. Called by `scheduler.ts`.
 *
 * A binding that fails takes the assumption back, so that the room is free again, and the pod is tried again later.
 * `NotFound` and `Conflict` say that the pod is gone, replaced or bound already (perhaps by our former life): the cache
 * will show that before the next try, which then is none. Since the API binds a pod only once, running twice does no harm.
 */
import { isReason } from '../../src/api/errors.js';
import { pods } from '../../src/api/kinds.js';
import { parseKey, refOf } from '../../src/api/meta.js';
import type { Binding } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { type Controller, createController } from '../../src/client/controller.js';
import type { EventRecorder } from '../../src/client/events.js';
import type { ReconcileContext } from '../../src/client/reconciler.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import type { Assumed, Assumption } from './assumed.js';
import type { SchedulingQueue } from './queue.js';
import type { ClusterState } from './snapshot.js';

export interface BinderOptions {
  client: Pick<Client, 'post'>;
  recorder: EventRecorder;
  state: ClusterState;
  queue: SchedulingQueue;
  assumed: Assumed;
  clock: Clock;
  log: Logger;
}

/** Bindings under way at a time. */
const workers = 64;

/** Enqueue the key of an assumed pod to have it bound. */
export function createBinder(options: BinderOptions): Controller {
  const { client, recorder, state, queue, assumed, clock, log } = options;

  async function bind(key: string, { signal, log: ownLog }: ReconcileContext): Promise<undefined> {
    const assumption = assumed.get(key);
    if (!assumption) return;
    const { pod, node } = assumption;
    try {
      await client.post(pods, refOf(pod.pod), 'binding', bindingOf(assumption), { signal });
    } catch (error) {
      if (signal.aborted || !takeBack(key, assumption)) return;
      // Either way the cache decides, when the back-off is over, whether the pod still needs a node.
      queue.failed(key);
      if (isReason(error, 'NotFound', 'Conflict')) {
        ownLog.debug({ err: error, node }, 'the pod seems to need no binding any more');
        return;
      }
      ownLog.warn({ err: error, node }, 'binding failed, will schedule again');
      recorder.event(pod.pod, 'Warning', 'FailedScheduling', `binding rejected: ${textOf(error)}`);
      return;
    }
    // Else the cache has shown it bound already, or even gone and made again.
    if (assumed.get(key) === assumption) queue.remove(key);
    recorder.event(pod.pod, 'Normal', 'Scheduled', `Successfully assigned ${key} to ${node}`);
  }

  /** False, and nothing to do, when the cache has spoken meanwhile. */
  function takeBack(key: string, assumption: Assumption): boolean {
    if (assumed.get(key) !== assumption) return false;
    assumed.delete(key);
    state.remove(key);
    queue.happened('podGone');
    return true;
  }

  return createController({
    name: 'binder',
    reconciler: { reconcile: bind },
    sources: [],
    workers,
    clock,
    log,
  });
}

function bindingOf({ pod, node }: Assumption): Binding {
  const { namespace, name } = parseKey(pod.key);
  return {
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name, namespace, uid: pod.uid },
    target: { kind: 'Node', apiVersion: 'v1', name: node },
  };
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
