/**
 * 2. Charges writes to the quotas of their namespace, in order and for good: a write goes on when its charge is stored in
 * `status.used`. Asked by the plugin; the controller counts anew through it (`exclusive`). See decision 014.
 *
 * One lane per namespace, one thing at a time in it:
 *
 *   demand --> waiting --round: list quotas, plan, compare-and-set--> under way --settled--> stored (the recount sees it)
 *                ^----------- lost a race -----------|                    +------failed----> its charge goes back
 *
 * All that waits goes in one round, so that any number of writers costs one write per quota. Charges are stored before
 * the object is: a crash in between leaves too much charged, never too little, and the controller puts it right.
 */
import { isReason } from '../../../../src/api/errors.js';
import { resourceQuotas } from '../../../../src/api/kinds.js';
import type { ResourceQuota } from '../../../../src/api/types.js';
import type { Client } from '../../../../src/client/client.js';
import type { Clock } from '../../../../src/host/clock.js';
import { type Amounts, add, isSame } from './amounts.js';
import { type Charges, type Entry, planRound, type Round } from './batch.js';
import type { Demand } from './charge.js';

/** How often others may win against one round before it gives up. */
const maxRounds = 50;

/** A write that was let through and is not known to be stored. */
export interface UnderWay {
  demand: Demand;
  charges: Charges;
}

interface Waiting extends Entry {
  refuse(why: string): Error;
  resolve(underWay: UnderWay): void;
  reject(error: unknown): void;
}

interface Lane {
  waiting: Waiting[];
  jobs: (() => Promise<unknown>)[];
  underWay: Set<UnderWay>;
  /** To be given back, by the uid of the quota. */
  returned: Map<string, Amounts>;
  isBusy: boolean;
}

type Status = NonNullable<ResourceQuota['status']>;

/** What a job that has a namespace for itself may see and do. */
export interface Exclusive {
  /** As the job began: what is not among them is stored or failed by then. */
  readonly underWay: readonly UnderWay[];
  /**
   * Writes the status as it was counted, unless that is what it says already. What was to be given back before the count
   * is then void. Rejects with `Conflict` when somebody else wrote the quota.
   */
  store(quota: ResourceQuota, status: Status): Promise<void>;
}

export interface Ask {
  namespace: string;
  demand: Demand;
  isDryRun: boolean;
  /** Makes the error of a refusal. */
  refuse(why: string): Error;
}

export interface QuotaLedger {
  /** Resolves when the charge is stored; the function must be called when the write ended. Rejects with `Forbidden`. */
  admit(ask: Ask): Promise<(written: boolean) => void>;
  /** Runs while nothing is admitted in the namespace. */
  exclusive<R>(namespace: string, job: (exclusive: Exclusive) => Promise<R>): Promise<R>;
  /** What this process last stored as used, by the uid of the quota. */
  lastUsed(uid: string): Amounts | undefined;
  /** The quota is gone. */
  forget(uid: string): void;
  /** Calls after a write that was charged and then failed, with its namespace. */
  onReturn(listener: (namespace: string) => void): void;
}

export function createQuotaLedger({ client, clock }: { client: Client; clock: Clock }): QuotaLedger {
  const lanes = new Map<string, Lane>();
  const lastUsed = new Map<string, Amounts>();
  const listeners: ((namespace: string) => void)[] = [];

  function laneOf(namespace: string): Lane {
    const found = lanes.get(namespace);
    if (found) return found;
    const lane: Lane = { waiting: [], jobs: [], underWay: new Set(), returned: new Map(), isBusy: false };
    lanes.set(namespace, lane);
    return lane;
  }

  function wake(namespace: string, lane: Lane): void {
    if (lane.isBusy) return;
    lane.isBusy = true;
    void run(namespace, lane);
  }

  /** Everything in it tells its outcome to whoever waits for it; nothing of it rejects. */
  async function run(namespace: string, lane: Lane): Promise<void> {
    while (lane.jobs.length > 0 || lane.waiting.length > 0 || lane.returned.size > 0) {
      await lane.jobs.shift()?.();
      if (lane.waiting.length > 0 || lane.returned.size > 0)
        await settleAll(namespace, lane, lane.waiting.splice(0));
    }
    lane.isBusy = false;
    tidy(namespace, lane);
  }

  function tidy(namespace: string, lane: Lane): void {
    if (!lane.isBusy && lane.underWay.size === 0) lanes.delete(namespace);
  }

  function doubt(namespace: string): void {
    for (const listener of listeners) listener(namespace);
  }

  async function settleAll(namespace: string, lane: Lane, entries: readonly Waiting[]): Promise<void> {
    let open = entries;
    let returned: Charges = new Map();
    let lastError: unknown;
    try {
      for (let count = 1; count <= maxRounds; count += 1) {
        for (const [uid, amounts] of take(lane.returned)) putBack(returned, uid, amounts);
        const { items } = await client.list(resourceQuotas, { namespace });
        const round = planRound(items, returned, open, clock.now());
        const failures = await storeAll(round);
        returned = new Map([...returned].filter(([uid]) => isRace(failures.get(uid))));
        open = judge(lane, round, failures);
        lastError = [...failures.values()][0];
        if (open.length === 0 && returned.size === 0) return;
      }
    } catch (error) {
      lastError = error;
    }
    // What could not be given back is found by the next count.
    doubt(namespace);
    for (const entry of open) fail(lane, entry, lastError);
  }

  /** The errors by the uid of the quota; those that are stored have none. */
  async function storeAll({ books }: Round<Waiting>): Promise<Map<string, unknown>> {
    const failures = new Map<string, unknown>();
    const changed = [...books].filter(([, { isChanged }]) => isChanged);
    await Promise.all(
      changed.map(async ([uid, { quota, used }]) => {
        try {
          await write(quota, { ...quota.status, used });
        } catch (error) {
          failures.set(uid, error);
        }
      }),
    );
    return failures;
  }

  async function write(quota: ResourceQuota, status: Status): Promise<void> {
    await client.update(resourceQuotas, { ...quota, status }, { subresource: 'status' });
    lastUsed.set(quota.metadata.uid ?? '', status.used ?? {});
  }

  /** Tells everybody the outcome but those who lost a race, which are returned. */
  function judge(lane: Lane, round: Round<Waiting>, failures: ReadonlyMap<string, unknown>): Waiting[] {
    for (const { entry, why } of round.refused) fail(lane, entry, entry.refuse(why));
    for (const entry of round.admitted) letGo(lane, entry);
    const again: Waiting[] = [];
    for (const { entry, charges } of round.pending) {
      const errors: unknown[] = [];
      for (const [uid, amounts] of charges) {
        if (failures.has(uid)) errors.push(failures.get(uid));
        else entry.charged.set(uid, amounts);
      }
      if (errors.length === 0) letGo(lane, entry);
      else if (errors.every(isRace)) again.push(entry);
      else fail(lane, entry, errors[0]);
    }
    return again;
  }

  function letGo(lane: Lane, { demand, charged, isDryRun, resolve }: Waiting): void {
    const underWay = { demand, charges: charged };
    if (!isDryRun) lane.underWay.add(underWay);
    resolve(underWay);
  }

  function fail(lane: Lane, { charged, reject }: Waiting, error: unknown): void {
    for (const [uid, amounts] of charged) putBack(lane.returned, uid, amounts);
    reject(error);
  }

  function settled(namespace: string, lane: Lane, underWay: UnderWay, written: boolean): void {
    // A dry run was never under way.
    if (!lane.underWay.delete(underWay)) return;
    if (!written) {
      for (const [uid, amounts] of underWay.charges) putBack(lane.returned, uid, amounts);
      if (lane.returned.size > 0) wake(namespace, lane);
      doubt(namespace);
    }
    tidy(namespace, lane);
  }

  async function alone<R>(lane: Lane, job: (exclusive: Exclusive) => Promise<R>): Promise<R> {
    const before = take(lane.returned);
    try {
      return await job({
        underWay: [...lane.underWay],
        async store(quota, status) {
          const { hard = {}, used = {} } = quota.status ?? {};
          const isKnown = isSame(hard, status.hard ?? {}) && isSame(used, status.used ?? {});
          if (isKnown) lastUsed.set(quota.metadata.uid ?? '', used);
          else await write(quota, status);
          before.delete(quota.metadata.uid ?? '');
        },
      });
    } finally {
      for (const [uid, amounts] of before) putBack(lane.returned, uid, amounts);
    }
  }

  return {
    admit({ namespace, ...ask }) {
      const lane = laneOf(namespace);
      return new Promise((resolve, reject) => {
        lane.waiting.push({
          ...ask,
          charged: new Map(),
          resolve: (underWay) => resolve((written) => settled(namespace, lane, underWay, written)),
          reject,
        });
        wake(namespace, lane);
      });
    },
    exclusive(namespace, job) {
      const lane = laneOf(namespace);
      return new Promise((resolve, reject) => {
        lane.jobs.push(() => alone(lane, job).then(resolve, reject));
        wake(namespace, lane);
      });
    },
    lastUsed: (uid) => lastUsed.get(uid),
    forget: (uid) => void lastUsed.delete(uid),
    onReturn: (listener) => void listeners.push(listener),
  };
}

/** Somebody else wrote or deleted the quota: look again. */
const isRace = (error: unknown): boolean => isReason(error, 'Conflict', 'NotFound');

function take(charges: Charges): Charges {
  const taken = new Map(charges);
  charges.clear();
  return taken;
}

const putBack = (charges: Charges, uid: string, amounts: Amounts): void =>
  void charges.set(uid, add(charges.get(uid) ?? {}, amounts));
