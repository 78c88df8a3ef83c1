/**
 * Lists of quantities by resource name, as quotas, requests and limits have them. Pure; exact, and printed as Kubernetes
 * prints sums. Called by the plugins LimitRanger and ResourceQuota and by the controller of quotas.
 */
import { type Amount, formatQuantity, parseQuantity } from '../../../../src/api/quantity.js';

export type Amounts = Readonly<Record<string, string>>;

/** Adds up many lists. Objects of a kind mostly ask for the same: equal quantities are counted, and read once. */
export class Sum {
  readonly #counts = new Map<string, Map<string, number>>();

  /** A name stands in the sum as soon as it was added once, with nothing of it too. */
  add(amounts: Amounts): void {
    for (const name in amounts) {
      const quantity = amounts[name];
      if (quantity === undefined) continue;
      let counts = this.#counts.get(name);
      if (!counts) {
        counts = new Map();
        this.#counts.set(name, counts);
      }
      counts.set(quantity, (counts.get(quantity) ?? 0) + 1);
    }
  }

  toAmounts(): Record<string, string> {
    return Object.fromEntries([...this.#counts].map(([name, counts]) => [name, totalOf(counts)]));
  }
}

/** Printed like the first that is not zero. */
function totalOf(counts: ReadonlyMap<string, number>): string {
  const total: Amount = { nanos: 0n, format: 'DecimalSI' };
  for (const [quantity, count] of counts) {
    const { nanos, format } = parseQuantity(quantity);
    if (total.nanos === 0n) total.format = format;
    total.nanos += nanos * BigInt(count);
  }
  return formatQuantity(total);
}

export function add(...lists: readonly Amounts[]): Record<string, string> {
  const sum = new Sum();
  for (const list of lists) sum.add(list);
  return sum.toAmounts();
}

/** `a` without `b`, never below zero; names that only `b` has are left out. */
export function without(a: Amounts, b: Amounts): Record<string, string> {
  const entries = Object.entries(a).map(([name, quantity]): [string, string] => {
    const less = b[name];
    if (less === undefined) return [name, quantity];
    const { nanos, format } = parseQuantity(quantity);
    const left = nanos - parseQuantity(less).nanos;
    return [name, left > 0n ? formatQuantity({ nanos: left, format }) : '0'];
  });
  return Object.fromEntries(entries);
}

/** Of every name the larger one. */
export function larger(a: Amounts, b: Amounts): Record<string, string> {
  const result: Record<string, string> = { ...a };
  for (const [name, quantity] of Object.entries(b)) {
    const other = result[name];
    if (other === undefined || isMore(quantity, other)) result[name] = quantity;
  }
  return result;
}

export const isMore = (a: string, b: string): boolean => parseQuantity(a).nanos > parseQuantity(b).nanos;

const isZero = (quantity: string): boolean => parseQuantity(quantity).nanos === 0n;

export const nonZero = (amounts: Amounts): Record<string, string> =>
  Object.fromEntries(Object.entries(amounts).filter(([, quantity]) => !isZero(quantity)));

/** What is there of these names. */
export function only(amounts: Amounts, names: readonly string[]): Record<string, string> {
  const entries = names.flatMap((name): [string, string][] => {
    const quantity = amounts[name];
    return quantity === undefined ? [] : [[name, quantity]];
  });
  return Object.fromEntries(entries);
}

/** By value: `1` is `1000m`. */
export function isSame(a: Amounts, b: Amounts): boolean {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => b[name] !== undefined && isSameQuantity(a[name], b[name]))
  );
}

/** Both absent is the same. */
export function isSameQuantity(a: string | undefined, b: string | undefined): boolean {
  if (a === b) return true;
  return a !== undefined && b !== undefined && parseQuantity(a).nanos === parseQuantity(b).nanos;
}

/** `cpu=1,pods=2`, as messages have it. */
export const textOf = (amounts: Amounts): string =>
  Object.keys(amounts)
    .sort()
    .map((name) => `${name}=${amounts[name]}`)
    .join(',');
