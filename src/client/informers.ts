/**
 * 4. One informer per (kind, namespace, selectors), however many controllers want it. Called by composition roots:
 * `informers.get(pods)` anywhere during construction, then `start` once. An informer asked for later starts at once.
 */
import type { ResourceType } from '../api/kinds.js';
import type { KubeObject } from '../api/types.js';
import type { Clock } from '../host/clock.js';
import { type Component, type Health, healthyNow } from '../host/component.js';
import type { Logger } from '../host/log.js';
import type { Indexers } from './cache.js';
import type { Client } from './client.js';
import { createInformer, type Informer } from './informer.js';

export interface InformerSelection<T extends KubeObject> {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Added to those that others asked for; the name decides, so equal names must mean equal functions. */
  indexers?: Indexers<T>;
}

export interface Informers extends Component {
  /** Resolves when each of those asked for so far has its first list. */
  whenSynced(signal: AbortSignal): Promise<void>;
  get<T extends KubeObject>(type: ResourceType<T>, selection?: InformerSelection<T>): Informer<T>;
  /** Ends the informers of a kind that is no longer served. */
  drop(type: ResourceType): Promise<void>;
}

/** No name of an API has a space. */
const kindKey = (type: ResourceType): string => `${type.group}/${type.version}/${type.resource} `;

export function createInformers(options: {
  client: Pick<Client, 'list' | 'watch'>;
  clock: Clock;
  log: Logger;
}): Informers {
  /** The key names the type, so a value's `T` is the one of its key. */
  const shared = new Map<string, Informer<KubeObject>>();
  let startSignal: AbortSignal | undefined;

  return {
    name: 'informers',
    get<T extends KubeObject>(type: ResourceType<T>, selection: InformerSelection<T> = {}): Informer<T> {
      const { indexers = {}, namespace, labelSelector, fieldSelector } = selection;
      const key = `${kindKey(type)}${JSON.stringify([namespace, labelSelector, fieldSelector])}`;
      const known = shared.get(key) as unknown as Informer<T> | undefined;
      if (known) {
        known.addIndexers(indexers);
        return known;
      }
      const made = createInformer({ ...options, type, namespace, labelSelector, fieldSelector, indexers });
      shared.set(key, made as unknown as Informer<KubeObject>);
      if (startSignal) void made.start(startSignal);
      return made;
    },
    async drop(type) {
      const dropped = [...shared].filter(([key]) => key.startsWith(kindKey(type)));
      for (const [key] of dropped) shared.delete(key);
      await Promise.all(dropped.map(([, informer]) => informer.stop()));
    },
    async start(signal) {
      startSignal = signal;
      for (const informer of shared.values()) await informer.start(signal);
    },
    async whenSynced(signal) {
      await Promise.all([...shared.values()].map((informer) => informer.whenSynced(signal)));
    },
    async stop() {
      await Promise.all([...shared.values()].map((informer) => informer.stop()));
    },
    healthy(): Health {
      return (
        [...shared.values()].map((informer) => informer.healthy()).find((health) => !health.ok) ?? healthyNow
      );
    },
  };
}
