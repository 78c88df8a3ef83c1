/**
 * Many writes of one namespace against its quotas at a time: who may go on, and what each quota is charged. Pure; the
 * ledger writes what comes out and calls again for what somebody else's write undid.
 */
import type { ResourceQuota } from '../../../../src/api/types.js';
import { type Amounts, add, isSame, without } from './amounts.js';
import { assess, type Demand } from './charge.js';

/** What a write was charged: by the uid of the quota. */
export type Charges = Map<string, Amounts>;

export interface Entry {
  demand: Demand;
  /** Only asks. */
  isDryRun: boolean;
  /** Stored already, in an earlier round. */
  charged: Charges;
}

/** A quota with what it has to count with once this round is stored. */
export interface Book {
  quota: ResourceQuota;
  used: Amounts;
  isChanged: boolean;
}

export interface Round<E extends Entry> {
  refused: { entry: E; why: string }[];
  /** Nothing has to be stored for them. */
  admitted: E[];
  /** They may go on when these charges are stored. */
  pending: { entry: E; charges: Charges }[];
  books: Map<string, Book>;
}

/** `returned` is what is to be given back, by the uid of the quota. Writes are looked at in order. */
export function planRound<E extends Entry>(
  quotas: readonly ResourceQuota[],
  returned: ReadonlyMap<string, Amounts>,
  entries: readonly E[],
  now: Date,
): Round<E> {
  const books = new Map(quotas.map((quota) => [uidOf(quota), openBook(quota, returned.get(uidOf(quota)))]));
  const round: Round<E> = { refused: [], admitted: [], pending: [], books };
  for (const entry of entries) {
    const outcome = chargesOf(entry, books, now);
    if (typeof outcome === 'string') round.refused.push({ entry, why: outcome });
    else if (outcome.size === 0 || entry.isDryRun) round.admitted.push(entry);
    else {
      for (const [uid, increase] of outcome) charge(books.get(uid), increase);
      round.pending.push({ entry, charges: outcome });
    }
  }
  return round;
}

const uidOf = ({ metadata }: ResourceQuota): string => metadata.uid ?? '';

function openBook(quota: ResourceQuota, returned: Amounts | undefined): Book {
  const stored = quota.status?.used ?? {};
  const used = returned ? without(stored, returned) : stored;
  return { quota, used, isChanged: returned !== undefined && !isSame(used, stored) };
}

function charge(book: Book | undefined, increase: Amounts): void {
  if (!book) return;
  book.used = add(book.used, increase);
  book.isChanged = true;
}

/** Every quota must have room. A refusal is a text. */
function chargesOf(entry: Entry, books: ReadonlyMap<string, Book>, now: Date): Charges | string {
  const charges: Charges = new Map();
  for (const [uid, { quota, used }] of books) {
    if (entry.charged.has(uid)) continue;
    const assessment = assess(quota, used, entry.demand, now);
    if ('refusal' in assessment) return assessment.refusal;
    if (Object.keys(assessment.increase).length > 0) charges.set(uid, assessment.increase);
  }
  return charges;
}
