/**
 * Keeps what each pod was given: decides on a resize when a pod asks for other resources, and says so. Called by the
 * worker before it plans. The allocation survives a restart in the containers' labels and, after a resize, in the
 * checkpoint, which is written before anything is done.
 */
import type { Pod } from '../../src/api/types.js';
import type { Allocation } from './checkpoint.js';
import type { PodEvents } from './needs.js';
import { latestOf } from './observed.js';
import type { PodRecord } from './record.js';
import { decideResize, isResizeAsked } from './resize.js';
import { summaryOf } from './resizing.js';
import { allocationOf, resizableOf, toldOf, withAllocation } from './resources.js';

export interface Allocating {
  /** The pod with what it was given. */
  allocate(asked: Pod, record: PodRecord): Pod;
  /** Something was given back: whoever waits for it is asked again. */
  retryDeferred(): void;
}

export function createAllocating(options: {
  records: ReadonlyMap<string, PodRecord>;
  allocatable(): Readonly<Record<string, string>>;
  events: PodEvents;
  enqueue(uid: string): void;
}): Allocating {
  const { records, events } = options;

  function retryDeferred(): void {
    for (const [uid, { resizePending }] of records)
      if (resizePending?.reason === 'Deferred') options.enqueue(uid);
  }

  function allocate(asked: Pod, record: PodRecord): Pod {
    record.allocation ??= remembered(asked, record);
    const given = withAllocation(asked, record.allocation);
    if (!isResizeAsked(asked, given)) {
      record.resizePending = undefined;
      return given;
    }
    if (!record.isTaken || record.endingSinceMs !== undefined) return given;
    const pending = decideResize(asked, activePods(records, record), options.allocatable());
    if (pending) {
      if (record.resizePending?.message !== pending.message) {
        const message = `Pod resize ${pending.reason}: ${pending.message}`;
        events.record(asked, 'Warning', `Resize${pending.reason}`, message);
      }
      record.resizePending = pending;
      return given;
    }
    record.resizePending = record.resizeFailure = undefined;
    record.allocation = allocationOf(asked);
    record.isCheckpointDue = true;
    events.record(asked, 'Normal', 'ResizeStarted', `Pod resize started: ${summaryOf(asked)}`);
    retryDeferred();
    return asked;
  }

  return { allocate, retryDeferred };
}

/** The pods of the node that were taken and have not ended, beside one, each with what it was given. */
export const activePods = (records: ReadonlyMap<string, PodRecord>, beside: PodRecord): Pod[] =>
  [...records.values()].flatMap((other) => {
    const phase = other.status?.phase;
    const isActive = other.isTaken && !other.isFinished && phase !== 'Succeeded' && phase !== 'Failed';
    return other !== beside && isActive && other.pod ? [withAllocation(other.pod, other.allocation)] : [];
  });

/** Of an earlier life: what the containers were made with; of a new pod: what it asks for. */
function remembered(asked: Pod, record: PodRecord): Allocation {
  const observed = record.observed();
  return Object.fromEntries(
    resizableOf(asked).map((spec) => {
      const state = latestOf(observed, spec.name);
      return [spec.name, (state && toldOf(observed, state)) ?? spec.resources ?? {}];
    }),
  );
}
