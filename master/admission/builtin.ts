/**
 * 2. The admission plugins that are always there, in the order of kube-apiserver, with what is configured through the API
 * between them and the quota, which counts what all others left of an object. Called by `api.ts`.
 */
import { createInformers } from '../../src/client/informers.js';
import type { Component } from '../../src/host/component.js';
import type { Admission } from '../registry/admission.js';
import type { PluginDeps } from './plugin.js';
import { inSequence } from './sequence.js';

/** One line each; the order matters. */
const before: readonly ((deps: PluginDeps) => Admission)[] = [];
const after: readonly ((deps: PluginDeps) => Admission)[] = [];

/** `start` returns when everything the plugins follow is in step, and must have returned before the API answers. */
export function createBuiltInAdmission(
  given: Omit<PluginDeps, 'informers'>,
  configured: readonly Admission[],
): Admission & Component {
  const { client, clock } = given;
  const log = given.log.child({ component: 'admission' });
  const informers = createInformers({ client, clock, log });
  const deps: PluginDeps = { ...given, log, informers };
  const make = (plugin: (deps: PluginDeps) => Admission): Admission => plugin(deps);
  return {
    ...inSequence([...before.map(make), ...configured, ...after.map(make)]),
    name: 'built-in-admission',
    async start(signal) {
      await informers.start(signal);
      await informers.whenSynced(signal);
    },
    stop: () => informers.stop(),
    healthy: () => informers.healthy(),
  };
}
