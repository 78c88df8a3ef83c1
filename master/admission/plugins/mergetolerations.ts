/**
 * Two lists of tolerations as one, without those that another one makes superfluous; the order stays. Pure. Used by
 * `runtimeclass.ts`, with the rules of kube-apiserver.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Toleration } from '../../../src/api/types.js';

export function mergeTolerations(first: readonly Toleration[], second: readonly Toleration[]): Toleration[] {
  const all = [...first, ...second];
  const kept: Toleration[] = [];
  for (const [index, one] of all.entries()) {
    const isCovered =
      kept.some((other) => includes(other, one)) ||
      all.slice(index + 1).some((other) => !isDeepStrictEqual(other, one) && includes(other, one));
    if (!isCovered) kept.push(one);
  }
  return kept;
}

/** Whether whatever `one` tolerates, `other` does as well, and for as long. */
function includes(other: Toleration, one: Toleration): boolean {
  if (isDeepStrictEqual(other, one)) return true;
  const isAnyKey = !other.key && other.operator === 'Exists';
  if (!isAnyKey && (other.key ?? '') !== (one.key ?? '')) return false;
  if (other.effect && other.effect !== one.effect) return false;
  if (other.effect === 'NoExecute' && !isAsLong(other.tolerationSeconds, one.tolerationSeconds)) return false;
  if (other.operator === 'Exists') return true;
  return (
    (other.operator || 'Equal') === 'Equal' &&
    one.operator === 'Equal' &&
    (other.value ?? '') === (one.value ?? '')
  );
}

const isAsLong = (other: number | undefined, one: number | undefined): boolean =>
  other === undefined || (one !== undefined && one <= other);
