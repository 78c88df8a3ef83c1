/** What PersistentVolumeClaims count for: themselves and their storage, also by their storage class. Pure. */
import { formatQuantity, parseQuantity } from '../../../../src/api/quantity.js';
import type { PersistentVolumeClaim } from '../../../../src/api/types.js';
import { isMore } from './amounts.js';
import type { Evaluator } from './evaluators.js';
import { isClaimInScope } from './scopes.js';

const names = ['persistentvolumeclaims', 'requests.storage'];
const byClass = '.storageclass.storage.k8s.io/';
const classAnnotation = 'volume.beta.kubernetes.io/storage-class';

export const claimEvaluator: Evaluator<PersistentVolumeClaim> = {
  // A claim may grow, and its status says what it got and which attributes it is about to have.
  handles: (operation, subresource) =>
    (subresource === '' && (operation === 'CREATE' || operation === 'UPDATE')) ||
    (subresource === 'status' && operation === 'UPDATE'),
  counts: (name) =>
    name === 'count/persistentvolumeclaims' ||
    names.some((one) => name === one || name.endsWith(`${byClass}${one}`)),
  usage(claim) {
    const usage: Record<string, string> = {
      'count/persistentvolumeclaims': '1',
      persistentvolumeclaims: '1',
    };
    const storage = storageOf(claim);
    if (storage !== undefined) usage['requests.storage'] = storage;
    const storageClass = claim.metadata.annotations?.[classAnnotation] ?? claim.spec?.storageClassName;
    if (!storageClass) return usage;
    usage[`${storageClass}${byClass}persistentvolumeclaims`] = '1';
    if (storage !== undefined) usage[`${storageClass}${byClass}requests.storage`] = storage;
    return usage;
  },
  isInScope: isClaimInScope,
};

/** Whole bytes: what it asks for, or what it was given where that is more. */
function storageOf({ spec, status }: PersistentVolumeClaim): string | undefined {
  const asked = spec?.resources?.requests?.['storage'];
  if (asked === undefined) return undefined;
  const given = status?.allocatedResources?.['storage'];
  return whole(given !== undefined && isMore(given, asked) ? given : asked);
}

const nanosOfOne = 1_000_000_000n;

function whole(quantity: string): string {
  const { nanos, format } = parseQuantity(quantity);
  if (nanos % nanosOfOne === 0n) return quantity;
  return formatQuantity({ nanos: (nanos / nanosOfOne + 1n) * nanosOfOne, format });
}
