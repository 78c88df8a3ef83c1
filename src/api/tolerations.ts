/** Whether a toleration covers a taint, as the Kubernetes API documents the fields. Pure. */
import type { Taint, Toleration } from './types.js';

function covers({ key, operator, value, effect }: Toleration, taint: Taint): boolean {
  if (effect && effect !== taint.effect) return false;
  if (key && key !== taint.key) return false;
  switch (operator ?? '') {
    case 'Exists':
      return true;
    case '':
    case 'Equal':
      return Boolean(key) && (value ?? '') === (taint.value ?? '');
    case 'Gt':
      return isInteger(value) && isInteger(taint.value) && BigInt(taint.value) > BigInt(value);
    case 'Lt':
      return isInteger(value) && isInteger(taint.value) && BigInt(taint.value) < BigInt(value);
    default:
      return false;
  }
}

const isInteger = (text: string | undefined): text is string => /^-?\d+$/.test(text ?? '');

export const tolerates = (tolerations: readonly Toleration[] | undefined, taint: Taint): boolean =>
  tolerations?.some((toleration) => covers(toleration, taint)) ?? false;
