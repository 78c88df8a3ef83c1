/**
 * 1. Aggregated APIs, put together for the composition root: what must know before the API answers which paths are whose,
 * and the controllers that keep APIServices as they should be.
 */
import { apiServices } from '../../src/api/kinds.js';
import type { Client } from '../../src/client/client.js';
import { createInformers, type Informers } from '../../src/client/informers.js';
import type { Clock } from '../../src/host/clock.js';
import { type Component, healthOf, startAll, stopAll } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import { frontProxyName, type Pki } from '../auth/pki.js';
import type { ResourceSet } from '../resources/set.js';
import { Aggregator } from './aggregator.js';
import { createAuthConfigController } from './authconfig.js';
import { createAutoregisterController } from './autoregister.js';
import { createAvailabilityController } from './availability.js';
import { Discovered } from './discovered.js';
import { type Dial, TlsPool } from './pool.js';
import type { RemoteOptions } from './remote.js';

export interface AggregationOptions {
  client: Client;
  resources: ResourceSet;
  /** Live. */
  pki: Pick<Pki, 'ca' | 'frontProxy'>;
  /** Told when something in it changed. */
  onPkiChange?(listener: () => void): () => void;
  /** The way to pods; directly when absent. */
  dial?: Dial;
  /** What is known already; nothing by default. */
  discovered?: Discovered;
  clock: Clock;
  log: Logger;
}

export interface Aggregation extends Component {
  aggregator: Aggregator;
  /** Started after the API answers; `informers` are those of all controllers. */
  controllers(informers: Informers): Component;
}

export function createAggregation(options: AggregationOptions): Aggregation {
  const { client, resources, pki, clock } = options;
  const log = options.log.child({ component: 'aggregation' });
  const own = createInformers({ client, clock, log });
  const source = own.get(apiServices);
  const discovered = options.discovered ?? new Discovered();
  const pool = new TlsPool(options.dial);
  const remote: RemoteOptions = { client, pool, credentials: () => pki.frontProxy.client };
  return {
    name: 'aggregation',
    aggregator: new Aggregator({ ...remote, apiServices: source, discovered, clock, log }),
    async start(signal) {
      await own.start(signal);
      await source.whenSynced(signal);
    },
    async stop() {
      await own.stop();
      pool.destroy();
    },
    healthy: () => own.healthy(),
    controllers(informers) {
      const shared = { client, informers, clock, log };
      const config = () => ({
        clientCa: pki.ca,
        frontProxyCa: pki.frontProxy.ca,
        allowedNames: [frontProxyName],
      });
      const all: Component[] = [
        createAutoregisterController({ ...shared, resources }),
        createAvailabilityController({ ...shared, remote, discovered }),
        createAuthConfigController({ ...shared, config, onConfigChange: options.onPkiChange }),
      ];
      return {
        name: 'aggregation-controllers',
        start: (signal) => startAll(all, signal),
        stop: () => stopAll(all),
        healthy: () => healthOf(all),
      };
    },
  };
}
