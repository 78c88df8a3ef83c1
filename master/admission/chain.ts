/**
 * 2. Admission that is configured through the API: policies and webhooks, in the order of kube-apiserver.
 *
 *   mutate: MutatingAdmissionPolicy -> mutating webhooks -> (who asks for it, once more)
 *   validate: ValidatingAdmissionPolicy -> validating webhooks
 *
 * Its configuration is followed by informers of its own; `start` returns when they have it, and must have returned before
 * the API answers. Until then nothing is of concern: what the master needs itself is written before.
 */
import {
  mutatingAdmissionPolicies,
  mutatingAdmissionPolicyBindings,
  mutatingWebhookConfigurations,
  type ResourceType,
  validatingAdmissionPolicies,
  validatingAdmissionPolicyBindings,
  validatingWebhookConfigurations,
} from '../../src/api/kinds.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import type { Informer } from '../../src/client/informer.js';
import { createInformers } from '../../src/client/informers.js';
import type { Clock } from '../../src/host/clock.js';
import type { Component } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import type { Caller } from '../aggregation/caller.js';
import type { Admission, AdmissionRequest } from '../registry/admission.js';
import type { ResourceSet } from '../resources/set.js';
import { Hooks } from './hooks.js';
import { Interest } from './interest.js';
import { Matching } from './matching.js';
import { createMutatingPolicies, mutateByPolicies } from './mutatingpolicies.js';
import { Rounds } from './rounds.js';
import { Subject } from './subject.js';
import { createValidatingPolicies, type PolicyDeps, validateByPolicies } from './validatingpolicies.js';
import type { AuthorizerFunction } from './variables.js';
import { mutateByWebhooks, validateByWebhooks, type WebhookDeps } from './webhooks.js';

export interface AdmissionChainOptions {
  /** In-process; what it reads is not asked of admission. */
  client: Client;
  resources: ResourceSet;
  caller: Caller;
  /** For `authorizer` in expressions. */
  authorize: AuthorizerFunction;
  clock: Clock;
  log: Logger;
  /** Takes what webhooks and policies want in the audit log; nobody by default. */
  annotate?(request: AdmissionRequest, key: string, value: string): void;
}

export function createAdmissionChain(options: AdmissionChainOptions): Admission & Component {
  const { client, resources, clock } = options;
  const log = options.log.child({ component: 'admission' });
  const informers = createInformers({ client, clock, log });
  const follow = <T extends KubeObject>(type: ResourceType<T>): Informer<T> => informers.get(type);
  const sources = {
    mutatingHooks: follow(mutatingWebhookConfigurations),
    validatingHooks: follow(validatingWebhookConfigurations),
    mutatingPolicies: follow(mutatingAdmissionPolicies),
    mutatingBindings: follow(mutatingAdmissionPolicyBindings),
    validatingPolicies: follow(validatingAdmissionPolicies),
    validatingBindings: follow(validatingAdmissionPolicyBindings),
  };
  const mutating = new Hooks();
  const validating = new Hooks();
  const mutatingPolicies = createMutatingPolicies();
  const validatingPolicies = createValidatingPolicies();
  const interest = new Interest(resources);
  const matching = new Matching(client);
  const deps: WebhookDeps & PolicyDeps = {
    ...{ matching, log, client, resources, caller: options.caller, authorize: options.authorize },
    annotate: ({ request }, key, value) => options.annotate?.(request, key, value),
  };

  function reload(): void {
    const errors = [
      ...mutating.replace(sources.mutatingHooks.list()),
      ...validating.replace(sources.validatingHooks.list()),
      ...mutatingPolicies.replace(sources.mutatingPolicies.list(), sources.mutatingBindings.list()),
      ...validatingPolicies.replace(sources.validatingPolicies.list(), sources.validatingBindings.list()),
    ];
    for (const err of errors) log.error({ err }, 'an admission configuration cannot be used');
    const all = [...mutating.all, ...validating.all, ...mutatingPolicies.all, ...validatingPolicies.all];
    interest.replace(all.map(({ criteria }) => criteria));
  }

  return {
    name: 'admission',
    async start(signal) {
      await informers.start(signal);
      for (const source of Object.values(sources)) await source.whenSynced(signal);
      reload();
      for (const source of Object.values(sources)) source.onChange(reload);
    },
    stop: () => informers.stop(),
    healthy: () => informers.healthy(),
    concerns: (resource, operation, subresource) => interest.has(resource, operation, subresource),
    async mutate(request) {
      const subject = new Subject(request, resources.rows);
      const rounds = new Rounds();
      do {
        await mutateByPolicies(deps, mutatingPolicies.all, subject, rounds);
        await mutateByWebhooks(deps, mutating.all, subject, rounds);
      } while (rounds.beginSecond());
      return subject.object;
    },
    async validate(request) {
      const subject = new Subject(request, resources.rows);
      await validateByPolicies(deps, validatingPolicies.all, subject);
      await validateByWebhooks(deps, validating.all, subject);
    },
  };
}
