/**
 * 8. What happens in a CRI runtime, as hints to look at a pod. Used by cri.ts.
 *
 * From containerd its own events are read: GetContainerEvents, which older ones lack, gives each event to one reader only
 * in 1.7. Other runtimes are asked for GetContainerEvents. Each connection begins with a `resync`; when it breaks it is
 * made anew with the repo's one backoff.
 *
 * containerd tells that a process has ended before its CRI plugin knows; a pod is only named once the plugin does, or
 * whoever looks then would see it running, with no further event to come.
 */
import { createBackoff } from '../../../src/client/backoff.js';
import { createStop } from '../../../src/client/wait.js';
import type { Clock } from '../../../src/host/clock.js';
import type { Logger } from '../../../src/host/log.js';
import { type EventQueue, eventsOf } from '../event-queue.js';
import { labels, type RuntimeEvent } from '../runtime.js';
import { type CriClient, deadlines } from './client.js';

/** What the events need to know of containers and sandboxes. */
export interface EventSubjects {
  /** The pod a container or sandbox of this node belongs to; asks the runtime for those not known yet. */
  podOf(id: string): Promise<string | undefined>;
  /** As `podOf`, of those that are known; forgets it. */
  forget(id: string): string | undefined;
  /** Whether the runtime still says that it runs. */
  isRunning(id: string): Promise<boolean>;
}

export interface EventOptions {
  client: CriClient;
  subjects: EventSubjects;
  node: string;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
}

export const criEvents = (options: EventOptions): AsyncGenerator<RuntimeEvent, void, undefined> =>
  eventsOf(options.signal, (queue, signal) => listen({ ...options, signal }, queue));

/**
 * How long after the beginning of a stream its `resync` comes, milliseconds. What ended just before the stream began has
 * no event in it, and must have been noticed by the plugin when everybody looks.
 */
const settleMs = 200;

/** Fills the queue until the signal aborts. Says once that the runtime is away, and once that it is back. */
async function listen(options: EventOptions, queue: EventQueue): Promise<void> {
  const { client, clock, log, signal } = options;
  const backoff = createBackoff({ minMs: 100, maxMs: 5000, jitter: 0.5 });
  let isAway = false;
  while (!signal.aborted) {
    const connection = createStop();
    connection.follow(signal);
    let isOpen = false;
    const push = (event: RuntimeEvent): void => {
      // Before its resync, which will say more, and after its end a connection says nothing.
      if (isOpen && !connection.signal.aborted) queue.push(event);
    };
    const open = async (): Promise<void> => {
      // The runtime has the request of the stream when it has answered another one that came after it.
      await client.call('version', {}, deadlines.quick, connection.signal);
      await clock.sleep(settleMs, connection.signal);
      isOpen = true;
      push({ type: 'resync' });
      backoff.reset();
      if (isAway) log.info({}, 'the container runtime is back');
      isAway = false;
    };
    try {
      const { runtimeName } = await client.call('version', {}, deadlines.quick, signal);
      const read = runtimeName === 'containerd' ? readContainerd : readCri;
      const reading = read({ ...options, signal: connection.signal }, push);
      await Promise.race([reading, open().then(() => reading)]);
      if (!signal.aborted) log.warn({}, 'event stream of the container runtime ended, connecting again');
    } catch (err) {
      if (!signal.aborted && !isAway) {
        log.warn({ err }, 'event stream of the container runtime failed, connecting again');
      }
      isAway = true;
    } finally {
      connection.abort(new Error('the event stream is over'));
    }
    await clock.sleep(backoff.next(), signal).catch(() => undefined);
  }
}

type Push = (event: RuntimeEvent) => void;

async function readCri({ client, node, signal }: EventOptions, push: Push): Promise<void> {
  for await (const { podSandboxStatus } of client.stream('getContainerEvents', {}, signal)) {
    const owner = podSandboxStatus?.labels ?? {};
    const podUid = owner[labels.podUid];
    if (podUid !== undefined && owner[labels.node] === node) push({ type: 'pod', podUid });
  }
}

/** What can change the state of a pod; execs and the like would only wake the agent for its own probes. */
const topics = ['/tasks/start', '/tasks/exit', '/tasks/oom', '/containers/delete'];

async function readContainerd(options: EventOptions, push: Push): Promise<void> {
  const { client, subjects, log, signal } = options;
  const { eventIds } = await import('./protocol.js');
  const handle = async (topic: string, id: string): Promise<void> => {
    const podUid = topic === '/containers/delete' ? subjects.forget(id) : await subjects.podOf(id);
    if (podUid === undefined) return;
    if (topic === '/tasks/exit') await whenNoticed(options, id);
    push({ type: 'pod', podUid });
  };
  const filters = topics.map((topic) => `namespace==k8s.io,topic=="${topic}"`);
  for await (const { topic, event } of client.stream('eventsSubscribe', { filters }, signal)) {
    const { id, second } = eventIds(event?.value ?? Buffer.alloc(0));
    // The end of an exec carries its own id beside that of the container.
    if (topic === '/tasks/exit' && second !== id) continue;
    handle(topic, id).catch((err: unknown) => {
      // Whatever it was: nobody knows now what the event was about.
      if (!signal.aborted) log.debug({ err, id }, 'an event could not be followed up');
      push({ type: 'resync' });
    });
  }
}

/** The plugin takes milliseconds; when it fails, it tries again for long, and the slow relist sees how it ended. */
async function whenNoticed({ subjects, clock, signal }: EventOptions, id: string): Promise<void> {
  const wait = createBackoff({ minMs: 2, maxMs: 1000 });
  for (let tries = 0; tries < 16 && (await subjects.isRunning(id)); tries += 1) {
    await clock.sleep(wait.next(), signal);
  }
}
