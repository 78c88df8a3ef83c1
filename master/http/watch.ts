/**
 * 1. Watch streams: the registry's event batches -> chunked frames on the connection, as fast as the client reads.
 *
 * Errors that show before the first event (a bad selector) are ordinary answers; later ones, and an expired version at
 * any time, are an ERROR frame on the 200 stream, as kube-apiserver does. A client that reads nothing for a minute is
 * cut off; the registry itself cuts off one that falls too far behind.
 */
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { type ApiError, isReason } from '../../src/api/errors.js';
import type { Clock } from '../../src/host/clock.js';
import type { StoredEvent } from '../registry/registry.js';
import { frame } from './encode.js';
import type { StreamResponse } from './websocket.js';

const stalledMs = 60_000;

/** Frames are joined up to about this size, so that a large start does not become thousands of small writes. */
const chunkBytes = 64 * 1024;

export interface WatchStream {
  response: StreamResponse;
  headers: Record<string, string>;
  events: AsyncIterable<readonly StoredEvent[]>;
  makeFrame(event: StoredEvent, now: Date): Buffer;
  /** How an error in the middle of the stream is worded. */
  toApiError(error: unknown): ApiError;
  clock: Clock;
}

/** Resolves when the stream has ended; rejects only while nothing was sent yet. */
export async function streamWatch(stream: WatchStream): Promise<void> {
  const { response, headers, events } = stream;
  const iterator = events[Symbol.asyncIterator]();
  let next = iterator.next();
  const early = await Promise.race([next.then(nothing, refusal), setImmediate(undefined)]);
  if (early) throw early.error;
  response.writeHead(200, headers);
  response.flushHeaders();
  try {
    for (let result = await next; !result.done; result = await next) {
      if (!(await writeBatch(stream, result.value))) break;
      next = iterator.next();
    }
    await iterator.return?.();
  } catch (error) {
    if (!response.destroyed) response.write(errorFrame(stream.toApiError(error)));
  }
  response.end();
}

/** On one line, as every event: clients read line by line. */
const errorFrame = (error: ApiError): Buffer => frame('ERROR', Buffer.from(JSON.stringify(error.toStatus())));

const nothing = (): undefined => undefined;

/** What the client is told with an HTTP code instead of an event. */
const refusal = (error: unknown): { error: unknown } | undefined =>
  isReason(error, 'Expired', 'Gone') ? undefined : { error };

/** False when the client is gone. */
async function writeBatch(stream: WatchStream, batch: readonly StoredEvent[]): Promise<boolean> {
  const now = stream.clock.now();
  let pending: Buffer[] = [];
  let size = 0;
  for (const event of batch) {
    const made = stream.makeFrame(event, now);
    pending.push(made);
    size += made.length;
    if (size < chunkBytes) continue;
    if (!(await write(stream, pending))) return false;
    pending = [];
    size = 0;
  }
  return pending.length === 0 || write(stream, pending);
}

async function write({ response, clock }: WatchStream, frames: readonly Buffer[]): Promise<boolean> {
  if (response.destroyed) return false;
  const [only] = frames;
  const chunk = frames.length === 1 && only ? only : Buffer.concat(frames);
  if (response.write(chunk)) return true;
  const gone = new AbortController();
  const onClose = (): void => gone.abort();
  response.once('close', onClose);
  const cancel = clock.after(stalledMs, () => response.destroy());
  try {
    await once(response, 'drain', { signal: gone.signal });
    return true;
  } catch (error) {
    if (gone.signal.aborted) return false;
    throw error;
  } finally {
    cancel();
    response.off('close', onClose);
  }
}
