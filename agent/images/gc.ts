/**
 * Image garbage collection as documented ("Garbage Collection"): when the disk of the images is fuller than the high
 * threshold, unused images go until it is down to the low one, those unused for longest first; images unused for longer
 * than a maximum age go in any case. Every five minutes; `deleteUnused` is asked by eviction when the disk runs out.
 *
 * Never removed: what a container of ours was made from, what a volume of a pod shows, the sandbox image, and what was
 * first seen less than the minimum age ago (it was pulled to be used). What was seen before the first look counts as
 * old. When an image was used last is remembered by this process only.
 */
import type { Node } from '../../src/api/types.js';
import { createController } from '../../src/client/controller.js';
import type { EventRecorder } from '../../src/client/events.js';
import type { Clock } from '../../src/host/clock.js';
import { type Component, healthyNow } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import { type ImageState, type Runtime, RuntimeError } from '../runtime/runtime.js';
import { sandboxImage } from '../runtime/sandbox-image.js';

export interface ImageGcPolicy {
  /** Percent of the disk in use from which on images are removed, and down to which. */
  highPercent: number;
  lowPercent: number;
  /** Since an image was first seen. */
  minAgeMs: number;
  /** Unused for longer: removed. 0: never. */
  maxAgeMs: number;
}

export interface ImageGcOptions {
  runtime: Pick<Runtime, 'listContainers' | 'listImages' | 'removeImage' | 'ensureSandboxImage'>;
  policy: ImageGcPolicy;
  /** The file system of the images. */
  disk(): Promise<{ availableBytes: number; capacityBytes: number }>;
  /** References that pods use other than by a container: image volumes. */
  references(): readonly string[];
  node(): Node | undefined;
  recorder: EventRecorder;
  clock: Clock;
  log: Logger;
}

export interface ImageGc extends Component {
  /** Removes every image that may go. */
  deleteUnused(signal: AbortSignal): Promise<void>;
}

/** Of one image; monotonic milliseconds. */
export interface ImageRecord {
  image: ImageState;
  firstSeenMs: number;
  /** -Infinity: never. */
  lastUsedMs: number;
  isUsed: boolean;
}

const periodMs = 5 * 60_000;

export function createImageGc(options: ImageGcOptions): ImageGc {
  const { runtime, policy, clock } = options;
  const log = options.log.child({ component: 'image-gc' });
  let records: ReadonlyMap<string, ImageRecord> | undefined;
  let startedMs: number | undefined;
  let hasFailed = false;

  async function detect(): Promise<ImageRecord[]> {
    const [images, containers] = await Promise.all([runtime.listImages(), runtime.listContainers()]);
    const used = new Set(containers.flatMap(({ image, imageId }) => [image, imageId]));
    for (const reference of options.references()) used.add(reference);
    const nowMs = clock.monotonicMs();
    const known = records;
    const found = images.map((image): ImageRecord => {
      const before = known?.get(image.id);
      const isUsed = isOneOf(image, used);
      return {
        image,
        firstSeenMs: before?.firstSeenMs ?? (known ? nowMs : Number.NEGATIVE_INFINITY),
        lastUsedMs: isUsed ? nowMs : (before?.lastUsedMs ?? Number.NEGATIVE_INFINITY),
        isUsed,
      };
    });
    records = new Map(found.map((record) => [record.image.id, record]));
    return found;
  }

  /** Removes in this order until enough is free; goes on after an image that cannot be removed, and throws at the end. */
  async function remove(
    candidates: readonly ImageRecord[],
    bytes: number,
    signal: AbortSignal,
  ): Promise<number> {
    const errors: unknown[] = [];
    let freed = 0;
    for (const { image } of candidates) {
      if (freed >= bytes) break;
      signal.throwIfAborted();
      try {
        // Docker removes an image of several names only name by name.
        for (const name of image.repoTags.length > 1 ? image.repoTags : [image.id])
          await runtime.removeImage(name);
        freed += image.sizeBytes;
        log.info({ image: image.repoTags[0] ?? image.id, bytes: image.sizeBytes }, 'unused image removed');
      } catch (error) {
        // Somebody else's container was made from it.
        if (!(error instanceof RuntimeError && error.kind === 'conflict')) errors.push(error);
      }
    }
    // Not every runtime says which image its sandboxes need; without it no pod starts.
    if (freed > 0) await runtime.ensureSandboxImage();
    if (errors.length > 0) {
      const text = `wanted to free ${bytes} bytes, but freed ${freed} bytes space with errors in image deletion: ${errors.map(String).join('; ')}`;
      throw new AggregateError(errors, text);
    }
    return freed;
  }

  async function collect(signal: AbortSignal): Promise<void> {
    const all = await detect();
    const nowMs = clock.monotonicMs();
    startedMs ??= nowMs;
    const old = tooOld(all, policy, { nowMs, startedMs });
    await remove(old, Number.POSITIVE_INFINITY, signal);
    const { availableBytes, capacityBytes } = await options.disk();
    if (capacityBytes === 0) throw new Error('invalid capacity 0 on image filesystem');
    const wanted = bytesToFree(policy, { availableBytes, capacityBytes });
    if (wanted <= 0) return;
    const left = removable(all, policy, nowMs).filter((record) => !old.includes(record));
    const freed = await remove(left, wanted, signal);
    if (freed >= wanted) return;
    const text = `Failed to garbage collect required amount of images. Attempted to free ${wanted} bytes, but only found ${freed} bytes eligible to free.`;
    tell('FreeDiskSpaceFailed', text);
    throw new Error(text);
  }

  function tell(reason: string, message: string): void {
    const node = options.node();
    if (node) options.recorder.event(node, 'Warning', reason, message);
  }

  const controller = createController({
    name: 'image-gc',
    sources: [],
    clock,
    log,
    reconciler: {
      async reconcile(_key, { signal }) {
        try {
          await collect(signal);
          hasFailed = false;
        } catch (error) {
          signal.throwIfAborted();
          log.warn({ err: error }, 'the garbage collection of images failed');
          // Once may be bad luck: told only when it fails again.
          if (hasFailed) tell('ImageGCFailed', error instanceof Error ? error.message : String(error));
          hasFailed = true;
        }
        return { requeueAfterMs: periodMs };
      },
    },
  });

  return {
    name: 'image-gc',
    async start(signal) {
      await controller.start(signal);
      controller.enqueue('images');
    },
    stop: () => controller.stop(),
    healthy: () => healthyNow,
    async deleteUnused(signal) {
      const all = await detect();
      await remove(removable(all, policy, clock.monotonicMs()), Number.POSITIVE_INFINITY, signal);
    },
  };
}

/** Bytes from the high threshold down to the low one; 0 or less: nothing to do. */
export function bytesToFree(
  { highPercent, lowPercent }: ImageGcPolicy,
  disk: { availableBytes: number; capacityBytes: number },
): number {
  const available = Math.min(disk.availableBytes, disk.capacityBytes);
  const usedPercent = 100 - Math.floor((available * 100) / disk.capacityBytes);
  if (usedPercent < highPercent) return 0;
  return Math.floor((disk.capacityBytes * (100 - lowPercent)) / 100) - available;
}

/** What may be removed, in the order to do it: unused for longest, then first seen first. */
export function removable(
  records: readonly ImageRecord[],
  { minAgeMs }: ImageGcPolicy,
  nowMs: number,
): ImageRecord[] {
  return records
    .filter(({ isUsed, firstSeenMs }) => !isUsed && nowMs - firstSeenMs >= minAgeMs)
    .sort((a, b) => order(a.lastUsedMs, b.lastUsedMs) || order(a.firstSeenMs, b.firstSeenMs));
}

/** Not a difference: both may be infinite. */
const order = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);

/** Unused for longer than the maximum age, as far as this process can know: it began to look at `startedMs`. */
function tooOld(
  records: readonly ImageRecord[],
  policy: ImageGcPolicy,
  { nowMs, startedMs }: { nowMs: number; startedMs: number },
): ImageRecord[] {
  if (policy.maxAgeMs === 0) return [];
  return removable(records, policy, nowMs).filter(
    ({ lastUsedMs, firstSeenMs }) => nowMs - Math.max(lastUsedMs, firstSeenMs, startedMs) > policy.maxAgeMs,
  );
}

function isOneOf({ id, repoTags, repoDigests }: ImageState, used: ReadonlySet<string>): boolean {
  const names = [...repoTags, ...repoDigests];
  const isSandbox = names.some((name) => name === sandboxImage || name.endsWith(`/${sandboxImage}`));
  return isSandbox || used.has(id) || names.some((name) => used.has(name));
}
