/**
 * 5. Keeps the status of ResourceQuotas true. Admission charges what comes; this counts anew when a quota changes, when
 * something that counts goes, ends or shrinks, after a write that was charged and failed, and every few minutes.
 *
 * A count is made while the ledger holds the namespace, and takes in what it let through a moment ago, so that it never
 * takes a charge away whose object is just being written. What another master charged is not in our ledger: then the
 * count lowers nothing before the charge is old. See decision 014.
 */
import { isReason } from '../../src/api/errors.js';
import { type ResourceType, resourceQuotas } from '../../src/api/kinds.js';
import { keyOf, parseKey } from '../../src/api/meta.js';
import type { KubeObject, ResourceQuota } from '../../src/api/types.js';
import type { Change } from '../../src/client/cache.js';
import { type Controller, createController, on, type Trigger } from '../../src/client/controller.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { isSame } from '../admission/plugins/quota/amounts.js';
import { usageFor } from '../admission/plugins/quota/charge.js';
import { type Evaluator, evaluatorOf } from '../admission/plugins/quota/evaluators.js';
import type { Exclusive, QuotaLedger } from '../admission/plugins/quota/ledger.js';
import type { FollowedTypes } from '../resources/followed.js';
import type { ControllerContext } from './context.js';
import { type Census, countUsage, notLowered } from './resourcequotaplan.js';

/** Guards against whatever was missed. */
const recountMs = 300_000;
/** So much that changes at a time is counted once. */
const gatherMs = 100;
/** How long a write that another master charged may be under way. */
const foreignChargeMs = 2_000;

export function createResourceQuotaController(
  { client, clock, log, informers }: ControllerContext,
  types: FollowedTypes,
  ledger: QuotaLedger,
): Controller {
  const cache = informers.get(resourceQuotas);
  /** Usage that we did not write, by the uid of the quota. */
  const foreign = new Map<string, { used: Readonly<Record<string, string>>; sinceMs: number }>();

  function reconcile(key: string): Promise<ReconcileResult> {
    if (!cache.getByKey(key)) return Promise.resolve(undefined);
    const ref = parseKey(key);
    return ledger.exclusive(ref.namespace ?? '', async (exclusive) => {
      try {
        return await recount(await client.get(resourceQuotas, ref), exclusive);
      } catch (error) {
        if (isReason(error, 'NotFound')) return undefined;
        throw error;
      }
    });
  }

  async function recount(quota: ResourceQuota, exclusive: Exclusive): Promise<ReconcileResult> {
    const censuses = await Promise.all(
      countedBy(quota).map(async ({ type, evaluator }): Promise<Census> => {
        const { items } = await client.list(type, { namespace: quota.metadata.namespace });
        return { evaluator, objects: items };
      }),
    );
    const now = clock.now();
    const demands = exclusive.underWay.map(({ demand }) => demand);
    const { status, changesAtMs } = countUsage(quota, censuses, demands, now);
    const waitMs = foreignWaitMs(quota);
    await exclusive.store(quota, waitMs > 0 ? notLowered(status, quota.status?.used ?? {}) : status);
    const aheadMs = changesAtMs - now.getTime() + 1;
    return { requeueAfterMs: Math.min(recountMs, aheadMs, waitMs > 0 ? waitMs : recountMs) };
  }

  /** 0 when nobody else can have charged the quota since what its status says; else how long to lower nothing. */
  function foreignWaitMs({ metadata, status }: ResourceQuota): number {
    const { uid = '' } = metadata;
    const used = status?.used ?? {};
    const own = ledger.lastUsed(uid);
    if (Object.keys(used).length === 0 || (own && isSame(own, used))) {
      foreign.delete(uid);
      return 0;
    }
    const known = foreign.get(uid);
    const since = known && isSame(known.used, used) ? known : { used, sinceMs: clock.monotonicMs() };
    foreign.set(uid, since);
    return Math.max(since.sinceMs + foreignChargeMs - clock.monotonicMs(), 0);
  }

  /** The kinds that a quota has a limit for. */
  function countedBy(quota: ResourceQuota): { type: ResourceType; evaluator: Evaluator }[] {
    return types.list().flatMap((type) => {
      const evaluator = evaluatorOf(type);
      return evaluator && hasLimit(quota, evaluator) ? [{ type, evaluator }] : [];
    });
  }

  /** Our own and the ledger's writes of the usage wake nobody. */
  function keysOfQuota({ key, old, current }: Change<ResourceQuota>): string[] {
    if (!current) {
      ledger.forget(old?.metadata.uid ?? '');
      foreign.delete(old?.metadata.uid ?? '');
      return [];
    }
    const hard = current.spec?.hard ?? {};
    const isInForce = isSame(hard, current.status?.hard ?? {});
    return old && isInForce && isSame(hard, old.spec?.hard ?? {}) ? [] : [key];
  }

  /** The quotas that take less of the object than before. */
  function keysOfObject(evaluator: Evaluator, { old, current }: Change<KubeObject>): string[] {
    if (!old) return [];
    const now = clock.now();
    return cache.list(old.metadata.namespace).flatMap((quota) => {
      if (!hasLimit(quota, evaluator)) return [];
      const usage = (object: KubeObject) => usageFor(quota, evaluator, object, now);
      return current && isSame(usage(old), usage(current)) ? [] : [keyOf(quota)];
    });
  }

  const controller = createController({
    name: 'resourcequota',
    reconciler: { reconcile },
    sources: [
      on(cache, keysOfQuota),
      followKinds(types, (type) => {
        const evaluator = evaluatorOf(type);
        if (!evaluator) return undefined;
        for (const quota of cache.list()) if (hasLimit(quota, evaluator)) controller.enqueue(keyOf(quota));
        return informers.get(type).onChange((change) => {
          for (const key of keysOfObject(evaluator, change)) controller.enqueueAfter(key, gatherMs);
        });
      }),
    ],
    workers: 4,
    clock,
    log,
  });
  ledger.onReturn((namespace) => {
    for (const quota of cache.list(namespace)) controller.enqueueAfter(keyOf(quota), gatherMs);
  });
  return controller;
}

const hasLimit = ({ spec }: ResourceQuota, evaluator: Evaluator): boolean =>
  Object.keys(spec?.hard ?? {}).some((name) => evaluator.counts(name));

/** Calls `follow` for every kind that is served and every one that comes; what it returned, when the kind goes. */
function followKinds(
  types: FollowedTypes,
  follow: (type: ResourceType) => (() => void) | undefined,
): Trigger {
  const idOf = ({ group, version, resource }: ResourceType): string => `${group}/${version}/${resource}`;
  return {
    whenSynced: () => Promise.resolve(),
    subscribe() {
      const ends = new Map<string, (() => void) | undefined>();
      function update(): void {
        const served = new Map(types.list().map((type) => [idOf(type), type]));
        for (const [id, end] of ends) {
          if (served.has(id)) continue;
          end?.();
          ends.delete(id);
        }
        for (const [id, type] of served) if (!ends.has(id)) ends.set(id, follow(type));
      }
      update();
      const off = types.onChange(update);
      return () => {
        off();
        for (const end of ends.values()) end?.();
      };
    },
  };
}
