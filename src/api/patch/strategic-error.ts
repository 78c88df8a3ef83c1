/**
 * What can be wrong with a strategic merge patch, in the words of Kubernetes. Pure.
 */

/** The patch cannot be applied; `patch.ts` turns it into an answer of the API. */
export class PatchError extends Error {
  override readonly name = 'PatchError';
}

export const patchErrors = {
  listOfLists: 'lists of lists are not supported',
  primitiveList: 'invalid patch format of primitive list',
  retainKeys: 'invalid patch format of retainKeys',
  setElementOrder: 'invalid patch format of setElementOrder list',
} as const;

const goKind = (value: unknown): string => {
  if (Array.isArray(value)) return 'slice';
  if (value === null || value === undefined) return 'nil';
  return typeof value === 'object' ? 'map' : typeof value;
};

export const badType = (expected: 'slice' | 'map', actual: unknown): PatchError =>
  new PatchError(`expected a ${expected}, but received a ${goKind(actual)}`);

export const noMergeKey = (item: unknown, mergeKey: string): PatchError =>
  new PatchError(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`);
