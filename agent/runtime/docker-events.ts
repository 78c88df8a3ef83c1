/**
 * 8. Docker's event stream as hints to look at a pod. Used by docker.ts.
 *
 * Each connection begins with a `resync`, because nobody knows what was missed before. When it breaks or Docker is
 * away, it is made anew with the repo's one backoff; the iteration ends only with the signal.
 */
import { createInterface } from 'node:readline';
import { createBackoff } from '../../src/client/backoff.js';
import type { Logger } from '../../src/host/log.js';
import type { DockerClient } from './docker-client.js';
import { type EventQueue, eventsOf } from './event-queue.js';
import { labels, type RuntimeEvent } from './runtime.js';

interface Options {
  node: string;
  log: Logger;
  signal: AbortSignal;
  /** Told of every container in which the kernel killed a process for memory. */
  onOom(id: string): unknown;
}

/** What can change the state of a pod; exec, attach and the like would only wake the agent for its own probes. */
const actions = ['start', 'die', 'oom', 'destroy'];

export const dockerEvents = (
  client: DockerClient,
  options: Options,
): AsyncGenerator<RuntimeEvent, void, undefined> =>
  eventsOf(options.signal, (queue, signal) => listen(client, queue, { ...options, signal }));

/** Fills the queue until the signal aborts. Says once that Docker is away, and once that it is back. */
async function listen(
  client: DockerClient,
  queue: EventQueue,
  { node, log, signal, onOom }: Options,
): Promise<void> {
  const backoff = createBackoff({ minMs: 100, maxMs: 5000, jitter: 0.5 });
  const filters = { type: ['container'], event: actions, label: [`${labels.node}=${node}`] };
  let isAway = false;
  while (!signal.aborted) {
    try {
      const stream = await client.stream('/events', { filters }, signal);
      queue.push({ type: 'resync' });
      backoff.reset();
      if (isAway) log.info({}, 'docker is back');
      isAway = false;
      for await (const line of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
        const event = read(line);
        if (event?.Action === 'oom' && event.Actor?.ID) onOom(event.Actor.ID);
        const podUid = event?.Actor?.Attributes?.[labels.podUid];
        if (podUid !== undefined) queue.push({ type: 'pod', podUid });
      }
      if (!signal.aborted) log.warn({}, 'event stream of docker ended, connecting again');
    } catch (err) {
      if (!signal.aborted && !isAway) log.warn({ err }, 'event stream of docker failed, connecting again');
      isAway = true;
    }
    await client.clock.sleep(backoff.next(), signal).catch(() => undefined);
  }
}

interface DockerEvent {
  Action?: string;
  /** The container; Docker repeats its labels in each event. */
  Actor?: { ID?: string; Attributes?: Record<string, string> };
}

const read = (line: string): DockerEvent | undefined => (line.trim() === '' ? undefined : JSON.parse(line));
