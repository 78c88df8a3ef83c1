/** Sets of indexes of an indexed Job as its API writes them: `1,3-5,7`. Pure. */

/** The text is no list of growing intervals below `completions`; the message is the one of Kubernetes. */
export class IndexError extends Error {
  override readonly name = 'IndexError';
}

export type Interval = readonly [first: number, last: number];

export function parseIndexes(text: string, completions: number): Interval[] {
  if (text === '') return [];
  let previous: number | undefined;
  return text.split(',').map((part) => {
    const interval = parseInterval(part, completions);
    if (previous !== undefined && previous >= interval[0]) throw outOfOrder(previous, interval[0]);
    previous = interval[1];
    return interval;
  });
}

export const countIndexes = (intervals: readonly Interval[]): number =>
  intervals.reduce((sum, [first, last]) => sum + last - first + 1, 0);

/** The first index that is in both. */
export function overlapOf(some: readonly Interval[], others: readonly Interval[]): number | undefined {
  for (const [first, last] of some) {
    const other = others.find(([start, end]) => first <= end && start <= last);
    if (other) return Math.max(first, other[0]);
  }
  return undefined;
}

function parseInterval(part: string, completions: number): Interval {
  const bounds = part.split('-');
  if (bounds.length > 2) {
    const rule = "an index interval can have at most two parts separated by '-'";
    throw new IndexError(`the fragment ${JSON.stringify(part)} violates the requirement that ${rule}`);
  }
  const [first = 0, last] = bounds.map((text) => parseIndex(text, completions));
  if (last === undefined) return [first, first];
  if (first >= last) throw outOfOrder(first, last);
  return [first, last];
}

function parseIndex(text: string, completions: number): number {
  if (!/^[-+]?\d+$/.test(text))
    throw new IndexError(`cannot convert string to integer for index: ${JSON.stringify(text)}`);
  const index = Number(text);
  if (index >= completions) throw new IndexError(`too large index: ${JSON.stringify(text)}`);
  return index;
}

const outOfOrder = (previous: number, current: number): IndexError =>
  new IndexError(`non-increasing order, previous: ${previous}, current: ${current}`);
