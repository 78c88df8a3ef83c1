/**
 * Records what happened to an object as core/v1 Events, which `kubectl describe` prints. Called by the agent, the
 * scheduler and the controllers.
 *
 * `event` never throws and never waits: it puts the event into a bounded queue that one loop writes. An event that
 * repeats becomes a higher `count` of the Event that exists; an object that floods is cut (`limits`). Events are
 * advice for humans: under pressure they are dropped, and counted.
 */
import { isReason } from '../api/errors.js';
import { events } from '../api/kinds.js';
import type { Event, KubeObject, ObjectReference } from '../api/types.js';
import { type Clock, toTime } from '../host/clock.js';
import { type Component, healthyNow } from '../host/component.js';
import type { Logger } from '../host/log.js';
import { backoffMs } from './backoff.js';
import type { Client } from './client.js';
import { createEventSeries, type EventSeries } from './eventseries.js';
import { createStop, untilAborted } from './wait.js';

export interface EventRecorder {
  /** `type` is `Normal` or `Warning`; `fieldPath` names a part: `spec.containers{web}`. */
  event(
    object: KubeObject,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    fieldPath?: string,
  ): void;
}

export interface EventRecorderOptions {
  client: Pick<Client, 'create' | 'patch'>;
  clock: Clock;
  log: Logger;
  /** Who reports: `kubelet`, `deployment-controller`. */
  component: string;
  /** The node, where there is one. */
  host?: string;
  /** While it says so, events wait to be written, twenty seconds at most: everything else is more urgent. */
  isBusy?: () => boolean;
  /** Events waiting to be written; more are dropped. 1000 by default. */
  maxQueued?: number;
}

export interface EventRecorderComponent extends EventRecorder, Component {
  readonly dropped: number;
}

const maxTries = 5;
/** Between two looks whether the process is still busy, and how many of them. */
const waitMs = 250;
const maxWaits = 80;
const retryBackoff = { minMs: 500, maxMs: 10_000, jitter: 0.5 };
/** Kubernetes' limit of `message`. */
const maxMessageLength = 1_024;

export function createEventRecorder(options: EventRecorderOptions): EventRecorderComponent {
  const { client, clock, log, component, host, maxQueued = 1_000 } = options;
  const series = createEventSeries(clock);
  const queue: Event[] = [];
  const stopping = createStop();
  let draining: Promise<void> | undefined;
  let dropped = 0;

  function event(
    object: KubeObject,
    type: 'Normal' | 'Warning',
    reason: string,
    message: string,
    fieldPath?: string,
  ): void {
    if (stopping.signal.aborted || !series.admits(object)) {
      dropped += 1;
      return;
    }
    if (queue.length >= maxQueued) {
      dropped += 1;
      if (dropped % maxQueued === 1) log.warn({ dropped }, 'too many events wait, dropping some');
      return;
    }
    queue.push(draft({ object, type, reason, message, fieldPath }));
    draining ??= drain().finally(() => {
      draining = undefined;
    });
  }

  function draft(what: {
    object: KubeObject;
    type: string;
    reason: string;
    message: string;
    fieldPath: string | undefined;
  }): Event {
    const { name = '', namespace } = what.object.metadata;
    const now = clock.now();
    const suffix = (BigInt(now.getTime()) * 1_000_000n + BigInt(series.nextNumber())).toString(16);
    const source = { component, ...(host && { host }) };
    return {
      metadata: { name: `${name}.${suffix}`, namespace: namespace ?? 'default' },
      involvedObject: referenceTo(what.object, what.fieldPath),
      reason: what.reason,
      message: what.message.slice(0, maxMessageLength),
      source,
      firstTimestamp: toTime(now),
      lastTimestamp: toTime(now),
      count: 1,
      type: what.type,
      reportingComponent: component,
      reportingInstance: host ?? '',
    };
  }

  async function drain(): Promise<void> {
    let waits = 0;
    while (queue.length > 0 && !stopping.signal.aborted) {
      if (waits < maxWaits && options.isBusy?.()) {
        waits += 1;
        await untilAborted(clock.sleep(waitMs, stopping.signal), stopping.signal);
        continue;
      }
      const next = queue.shift();
      if (next) await write(series, next);
    }
  }

  /** Retries while the server is away; any refusal drops the event. */
  async function write(known: EventSeries, next: Event): Promise<void> {
    for (let failures = 1; !stopping.signal.aborted; failures++) {
      try {
        await writeOnce(known, next);
        return;
      } catch (error) {
        if (!isReason(error, 'ServiceUnavailable', 'TooManyRequests', 'Timeout') || failures >= maxTries) {
          dropped += 1;
          log.debug({ err: error, reason: next.reason }, 'an event could not be written');
          return;
        }
        await untilAborted(clock.sleep(backoffMs(failures, retryBackoff), stopping.signal), stopping.signal);
      }
    }
  }

  async function writeOnce(known: EventSeries, next: Event): Promise<void> {
    const repeat = known.repeatOf(next);
    if (repeat) {
      const { count, message, lastTimestamp } = repeat.patch;
      try {
        const body = { count, message, lastTimestamp };
        await client.patch(events, repeat.ref, { type: 'merge', body }, { signal: stopping.signal });
        known.wrote(next, repeat.ref.name, count);
        return;
      } catch (error) {
        if (!isReason(error, 'NotFound')) throw error;
      }
    }
    await client.create(events, next, { signal: stopping.signal });
    known.wrote(next, next.metadata.name ?? '', 1);
  }

  return {
    name: 'events',
    event,
    start(signal) {
      stopping.follow(signal);
      return Promise.resolve();
    },
    async stop() {
      stopping.abort(new Error('the event recorder stops'));
      await draining;
    },
    healthy: () => healthyNow,
    get dropped() {
      return dropped;
    },
  };
}

/** How an Event names what it is about. */
function referenceTo(object: KubeObject, fieldPath: string | undefined): ObjectReference {
  const { namespace, name, uid, resourceVersion } = object.metadata;
  return {
    kind: object.kind,
    apiVersion: object.apiVersion,
    ...(namespace && { namespace }),
    name,
    uid,
    resourceVersion,
    ...(fieldPath && { fieldPath }),
  };
}
