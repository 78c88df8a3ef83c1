/**
 * May you, by the roles and bindings of the cluster. Part of the authorizer (`authorizer.ts`); its index is followed by
 * informers of its own, so that a decision reads nothing but memory.
 *
 *   start -> lists read -> default roles and bindings there, or five seconds gone -> open
 *
 * `start` returns at once. Until open, questions wait, a few seconds at most; then they are answered with 503. Who is of
 * system:masters is not asked here at all.
 */
import { ApiError, isReason } from '../../src/api/errors.js';
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from '../../src/api/kinds.js';
import { keyOf } from '../../src/api/meta.js';
import type { KubeObject, PolicyRule, RoleRef } from '../../src/api/types.js';
import { createBackoff } from '../../src/client/backoff.js';
import type { Client } from '../../src/client/client.js';
import type { Informer } from '../../src/client/informer.js';
import { createInformers } from '../../src/client/informers.js';
import { createStop, deferred, orAborted } from '../../src/client/wait.js';
import type { Clock } from '../../src/host/clock.js';
import type { Component } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import type { User } from '../registry/registry.js';
import type { Attributes, Decision, RuleResolver, UserRules } from './auth.js';
import { type Defaults, defaultObjects, ensureDefaults } from './rbacdefaults.js';
import { type HeldRules, joinProblems, RbacIndex } from './rbacindex.js';

/** How long a question waits for the roles to be read. */
const patienceMs = 10_000;
/** Roles that cannot be written (a webhook may refuse them) keep nobody out who has theirs already. */
const settleMs = 5_000;
const retries = { minMs: 100, maxMs: 5_000, jitter: 0.5 };

export interface RbacOptions {
  /** In-process, as the master itself. */
  client: Client;
  clock: Clock;
  log: Logger;
}

/** What is asked of the roles by those that let people grant. */
export interface RoleBook {
  held(user: User, namespace: string | undefined): HeldRules;
  rulesOf(roleRef: RoleRef, namespace: string | undefined): readonly PolicyRule[] | undefined;
}

export interface Rbac extends Component, RuleResolver, RoleBook {
  decide(attributes: Attributes): Promise<Decision> | Decision;
  /** Resolves when the roles are read and the default ones are there. */
  whenOpen(): Promise<void>;
}

export function createRbac({ client, clock, log: parent }: RbacOptions): Rbac {
  const log = parent.child({ component: 'rbac' });
  const informers = createInformers({ client, clock, log });
  const index = new RbacIndex();
  const ofRoles = [informers.get(roles), informers.get(clusterRoles)] as const;
  const ofBindings = [informers.get(roleBindings), informers.get(clusterRoleBindings)] as const;
  for (const source of ofRoles) source.onChange(({ old, current }) => index.changeRole(old, current));
  for (const source of ofBindings) source.onChange(({ old, current }) => index.changeBinding(old, current));
  const stopping = createStop();
  const opened = deferred();
  let isOpen = false;
  let opening: Promise<void> = Promise.resolve();

  async function open(signal: AbortSignal): Promise<void> {
    await Promise.all([...ofRoles, ...ofBindings].map((source) => source.whenSynced(signal)));
    const settled = settle(defaultObjects(), signal);
    await Promise.race([settled, clock.sleep(settleMs, signal)]);
    isOpen = true;
    opened.resolve();
    log.debug({}, 'roles are read');
    await settled;
  }

  /** Resolves when the default roles and bindings are there, and the index has heard of them. */
  async function settle(defaults: Defaults, signal: AbortSignal): Promise<void> {
    await keepTrying(signal, () => ensureDefaults(client, defaults, signal));
    await Promise.all([
      present(ofRoles, defaults.roles, signal),
      present(ofBindings, defaults.bindings, signal),
    ]);
  }

  async function keepTrying(signal: AbortSignal, run: () => Promise<void>): Promise<void> {
    const backoff = createBackoff(retries);
    while (!signal.aborted) {
      try {
        await run();
        return;
      } catch (err) {
        if (signal.aborted) return;
        if (!isReason(err, 'Conflict', 'AlreadyExists', 'NotFound'))
          log.error({ err }, 'default roles cannot be written, will retry');
        await clock.sleep(backoff.next(), signal);
      }
    }
  }

  async function decideLater(attributes: Attributes): Promise<Decision> {
    const patience = new AbortController();
    const cancel = clock.after(patienceMs, () => patience.abort(notYet()));
    try {
      await orAborted(opened.promise, patience.signal);
    } finally {
      cancel();
    }
    return index.decide(attributes);
  }

  return {
    name: 'rbac',
    async start(signal) {
      stopping.follow(signal);
      await informers.start(stopping.signal);
      opening = open(stopping.signal).catch((err: unknown) => {
        if (!stopping.signal.aborted) log.error({ err }, 'roles cannot be read');
      });
    },
    async stop() {
      stopping.abort(new Error('rbac stops'));
      await informers.stop();
      await opening;
    },
    healthy: () => informers.healthy(),
    whenOpen: () => opened.promise,
    decide: (attributes) => (isOpen ? index.decide(attributes) : decideLater(attributes)),
    held: (user, namespace) => index.held(user, namespace),
    rulesOf: (roleRef, namespace) => index.rulesOf(roleRef, namespace),
    rulesFor: (user, namespace) => asUserRules(index.held(user, namespace)),
  };
}

const notYet = (): ApiError =>
  new ApiError('ServiceUnavailable', 'the roles of the cluster are not read yet', { retryAfterSeconds: 1 });

/** Rules about objects and rules about paths are listed apart. */
export function asUserRules({ rules, errors }: HeldRules): UserRules {
  return {
    resourceRules: rules.flatMap(({ verbs, apiGroups = [], resources = [], resourceNames }) =>
      resources.length > 0
        ? [{ verbs, apiGroups, resources, ...(resourceNames?.length && { resourceNames }) }]
        : [],
    ),
    nonResourceRules: rules.flatMap(({ verbs, nonResourceURLs = [] }) =>
      nonResourceURLs.length > 0 ? [{ verbs, nonResourceURLs }] : [],
    ),
    ...(errors.length > 0 && { incomplete: joinProblems(errors) }),
  };
}

/** Resolves once one of the caches has each of the objects. */
function present<T extends KubeObject>(
  caches: readonly Pick<Informer<T>, 'getByKey' | 'onChange'>[],
  objects: readonly T[],
  signal: AbortSignal,
): Promise<void> {
  const missing = new Set(objects.map(keyOf));
  const { promise, resolve } = deferred();
  const unsubscribe = caches.map((cache) =>
    cache.onChange(({ key, current }) => {
      if (current) missing.delete(key);
      if (missing.size === 0) resolve();
    }),
  );
  return orAborted(promise, signal).finally(() => {
    for (const off of unsubscribe) off();
  });
}
