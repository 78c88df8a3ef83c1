/**
 * The postStart hook of a container: runs in the background right after the start; until it is done the container is
 * not said to run, and those after it wait. A hook that fails kills the container, as documented; the restart policy
 * decides what comes then.
 */
import type { Container, Pod } from '../../src/api/types.js';
import type { Logger } from '../../src/host/log.js';
import type { RunHook } from './hooks.js';
import type { KillContainer } from './kill.js';
import { graceSecondsOf } from './names.js';
import type { PodEvents } from './needs.js';
import type { PodRecord } from './record.js';

/** Kubernetes sets no limit; one that hangs would keep its connection for ever. */
const hookTimeoutMs = 10 * 60_000;

export function createPostStart(options: {
  runHook: RunHook;
  kill: KillContainer;
  events: PodEvents;
  enqueue(uid: string): void;
  signal: AbortSignal;
  log: Logger;
}): (pod: Pod, spec: Container, id: string, record: PodRecord) => void {
  const { events, signal, log } = options;
  return (pod, spec, id, record) => {
    const hook = spec.lifecycle?.postStart;
    if (!hook) return;
    record.hooking.add(id);
    options
      .runHook({ pod, record, hook, container: spec.name, id, timeoutMs: hookTimeoutMs }, signal)
      .catch((error: unknown) => {
        if (signal.aborted || record.containers.get(id)?.state !== 'running') return;
        const why = error instanceof Error ? error.message : String(error);
        events.record(pod, 'Warning', 'FailedPostStartHook', `PostStartHook failed: ${why}`, spec.name);
        const graceMs = graceSecondsOf(pod) * 1000;
        const message = `FailedPostStartHook: container ${spec.name} will be killed`;
        options.kill(
          { do: 'killContainer', id, container: spec.name, graceMs, message },
          { pod, record, signal, log },
        );
      })
      .finally(() => {
        record.hooking.delete(id);
        options.enqueue(record.uid);
      });
  };
}
