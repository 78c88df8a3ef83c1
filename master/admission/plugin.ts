/**
 * 2. Contract: what a built-in admission plugin is made with. One plugin is one file in `plugins/`, exporting
 * `create<Name>(deps: PluginDeps): Admission`, named as in Kubernetes; `builtin.ts` has them in order.
 *
 * `concerns` must be cheap and say no to as much as it can: a write that concerns nobody stays synchronous. What a plugin
 * follows comes from `informers` (asked for while it is made, in step when the API opens); where a decision must not be
 * out of step it reads through `client`, which costs microseconds in process.
 */
import type { Registry } from 'prom-client';
import type { Client } from '../../src/client/client.js';
import type { Informers } from '../../src/client/informers.js';
import type { Clock } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import type { Authorizer } from '../auth/auth.js';
import type { MasterOptions } from '../options.js';
import type { ResourceSet } from '../resources/set.js';
import type { PluginConfiguration } from './configuration.js';

export interface PluginDeps {
  /** In process, as the master itself. */
  client: Client;
  informers: Informers;
  authorizer: Authorizer;
  resources: ResourceSet;
  clock: Clock;
  log: Logger;
  options: MasterOptions;
  /** What the administrator configured of single plugins; nothing by default. */
  configuration?: PluginConfiguration;
  /** Takes the figures of plugins for `/metrics`. */
  metrics?: Registry;
}
