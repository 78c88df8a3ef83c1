/**
 * Defaulting of resource amounts. Pure; changes its argument. Called for containers and nodes.
 */
import { formatQuantity, parseQuantity } from '../quantity.js';
import type { Quantity } from '../types.js';

const MILLI = 1_000_000n;

/** Amounts of resources are whole thousandths; finer ones are rounded up. */
export function roundToMilli(resources: Record<string, Quantity> | undefined): void {
  for (const [name, quantity] of Object.entries(resources ?? {})) {
    if (!resources || !/[nu.]|[eE]-/.test(quantity)) continue;
    const { nanos, format } = parseQuantity(quantity);
    if (nanos % MILLI === 0n) continue;
    const millis = nanos > 0n ? nanos / MILLI + 1n : nanos / MILLI - 1n;
    resources[name] = formatQuantity({ nanos: millis * MILLI, format });
  }
}
