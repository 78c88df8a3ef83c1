/**
 * Numbers that may be percentages: `maxSurge: 25%`, `maxUnavailable: 1`. Pure.
 */
import type { IntOrString } from './types.js';

/**
 * The number, or the percentage of `total` rounded up or down. Throws `RangeError` for text that is no percentage, in
 * the words of Kubernetes.
 */
export function resolvePercent(value: IntOrString, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value;
  if (!value.endsWith('%')) {
    throw new RangeError('invalid value for IntOrString: invalid type: string is not a percentage');
  }
  const digits = value.slice(0, -1);
  if (!/^[-+]?\d+$/.test(digits)) {
    throw new RangeError(
      `invalid value for IntOrString: invalid value ${JSON.stringify(value)}: strconv.Atoi: parsing ${JSON.stringify(digits)}: invalid syntax`,
    );
  }
  const share = (Number(digits) * total) / 100;
  return round === 'up' ? Math.ceil(share) : Math.floor(share);
}
