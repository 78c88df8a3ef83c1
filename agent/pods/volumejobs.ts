/**
 * Lets no slow volume hold up a worker: volumes are made in a background job per pod. The worker waits for a short while,
 * then goes on with `StillMounting`; the record says so, the plan starts nothing meanwhile, and the pod is looked at again
 * when the job is done. A pod that goes cuts its job off.
 */
import type { Pod } from '../../src/api/types.js';
import { createStop, settlesWithin } from '../../src/client/wait.js';
import type { Clock } from '../../src/host/clock.js';
import { podUid } from './names.js';
import type { PodVolumes } from './needs.js';
import type { PodRecord } from './record.js';

/** Volumes of this machine take milliseconds. */
const patienceMs = 3000;
/** How long a job that was cut off is waited for before its volumes are taken down. */
const cutOffMs = 5000;

export class StillMounting extends Error {
  override readonly name = 'StillMounting';
}

interface Job {
  stop: AbortController;
  done: Promise<void>;
}

export function createVolumeJobs(
  volumes: PodVolumes,
  options: {
    clock: Clock;
    recordOf(uid: string): PodRecord | undefined;
    enqueue(uid: string): void;
  },
): PodVolumes {
  const { clock, recordOf, enqueue } = options;
  const jobs = new Map<string, Job>();

  function begin(pod: Pod, signal: AbortSignal): Job {
    const uid = podUid(pod);
    const stop = createStop();
    const release = stop.follow(signal);
    const done = volumes.prepare(pod, stop.signal).finally(() => {
      release();
      jobs.delete(uid);
      const record = recordOf(uid);
      if (!record?.isMounting) return;
      record.isMounting = false;
      enqueue(uid);
    });
    done.catch(() => undefined);
    const job = { stop, done };
    jobs.set(uid, job);
    return job;
  }

  return {
    ...volumes,
    async prepare(pod, signal) {
      const job = jobs.get(podUid(pod)) ?? begin(pod, signal);
      if (await settlesWithin(job.done, patienceMs, clock, signal)) return job.done;
      signal.throwIfAborted();
      const record = recordOf(podUid(pod));
      if (record) record.isMounting = true;
      throw new StillMounting(`the volumes of pod ${podUid(pod)} are not there yet`);
    },
    async tearDown(uid) {
      const job = jobs.get(uid);
      if (job) {
        job.stop.abort(new Error('the pod is gone'));
        await settlesWithin(job.done, cutOffMs, clock, new AbortController().signal);
      }
      await volumes.tearDown(uid);
    },
  };
}
