/**
 * Where a jump from a built-in chain to one of ours belongs, and the lines that put it there. Pure; used by `iptables.ts`
 * and `fake.ts` alike.
 *
 * A jump is known again by its target and its comment. All of our jumps at the head of a chain form one block, sorted
 * by target: who wants to be before another chooses the name, and two components never fight for the first place.
 */
import type { Jump } from './firewall.js';

export const chainPrefix = 'WHERRY-';
/** Chains of the pod network; all others with our prefix belong to the service proxy. */
export const netChainPrefix = `${chainPrefix}NET-`;

/** One rule of a built-in chain, as `-S` or `save` prints it: `-A FORWARD -m comment --comment "x" -j Y`. */
interface Placed {
  to: string;
  comment: string;
}

const placedOf = (rule: string): Placed => ({
  to: / -[jg] (\S+)/.exec(rule)?.[1] ?? '',
  comment: (/ --comment ("[^"]*"|\S+)/.exec(rule)?.[1] ?? '').replaceAll('"', ''),
});

const isOurs = (rule: Placed): boolean => rule.to.startsWith(chainPrefix);
const isJump = (rule: Placed, jump: Jump): boolean => rule.to === jump.to && rule.comment === jump.comment;
const isBefore = (rule: Placed, jump: Jump): boolean =>
  rule.to < jump.to || (rule.to === jump.to && rule.comment < jump.comment);

/** `-m comment` quoted as `iptables-restore` reads it. */
export const commentOf = (text: string): string => `-m comment --comment "${text.replaceAll('"', "'")}"`;

/** Lines for one restore that leave the jump exactly once and in its place; none when it is there already. */
export function planJump(rules: readonly string[], jump: Jump): string[] {
  const placed = rules.map(placedOf);
  const others = placed.filter((rule) => !isJump(rule, jump));
  const wanted = jump.position === 'last' ? others.length : headOf(others, jump);
  const found = placed.flatMap((rule, index) => (isJump(rule, jump) ? [index] : []));
  if (found.length === 1 && isInPlace(placed, found[0] ?? 0, jump)) return [];
  const spec = [...jump.match, commentOf(jump.comment), '-j', jump.to].join(' ');
  return [...deletions(found, jump.from), `-I ${jump.from} ${wanted + 1} ${spec}`];
}

export function planRemoval(rules: readonly string[], jump: Jump): string[] {
  const found = rules.map(placedOf).flatMap((rule, index) => (isJump(rule, jump) ? [index] : []));
  return deletions(found, jump.from);
}

/** Whether the jump is still somewhere; what a flush takes away. */
export const hasJump = (rules: readonly string[], jump: Jump): boolean =>
  rules.some((rule) => isJump(placedOf(rule), jump));

/** From the last to the first, so that the numbers stay right. */
const deletions = (indexes: readonly number[], from: string): string[] =>
  indexes.toReversed().map((index) => `-D ${from} ${index + 1}`);

/** How many rules of our block at the head stay in front of the jump. */
function headOf(others: readonly Placed[], jump: Jump): number {
  const end = others.findIndex((rule) => !isOurs(rule) || !isBefore(rule, jump));
  return end < 0 ? others.length : end;
}

function isInPlace(placed: readonly Placed[], index: number, jump: Jump): boolean {
  if (jump.position === 'last') return placed.slice(index + 1).every(isOurs);
  return placed.slice(0, index).every((rule) => isOurs(rule) && isBefore(rule, jump));
}
