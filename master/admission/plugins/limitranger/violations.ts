/**
 * What of a pod or claim is outside of the LimitRanges of its namespace, in the words of kube-apiserver. Pure.
 *
 * On an update, what stays as it is stored is not looked at again: it was right when it was written.
 */
import { parseQuantity } from '../../../../src/api/quantity.js';
import type {
  Container,
  LimitRange,
  LimitRangeItem,
  PersistentVolumeClaim,
  Pod,
} from '../../../../src/api/types.js';
import { type Amounts, isMore, isSameQuantity } from '../quota/amounts.js';
import { podAmounts } from '../quota/podsums.js';

/** What one container, pod or claim has. */
interface Holding {
  requests: Amounts;
  limits: Amounts;
}

export function podViolations(ranges: readonly LimitRange[], pod: Pod, old: Pod | undefined): string[] {
  return unique(ranges, (item) => {
    if (item.type === 'Pod') return violationsOf(item, podHolding(pod), old && podHolding(old));
    if (item.type !== 'Container') return [];
    const before = new Map(containersOf(old).map((container) => [container.name, holdingOf(container)]));
    return containersOf(pod).flatMap((container) =>
      violationsOf(item, holdingOf(container), before.get(container.name)),
    );
  });
}

/** Only requests count, and only the least and the most of them. */
export function claimViolations(
  ranges: readonly LimitRange[],
  claim: PersistentVolumeClaim,
  old: PersistentVolumeClaim | undefined,
): string[] {
  const requests = claim.spec?.resources?.requests ?? {};
  const before = old?.spec?.resources?.requests ?? {};
  const isStored = (name: string): boolean =>
    requests[name] !== undefined && isSameQuantity(requests[name], before[name]);
  return unique(ranges, (item) => {
    if (item.type !== 'PersistentVolumeClaim') return [];
    const least = entriesOf(item.min, isStored).map(([name, bound]) =>
      below(item.type, name, bound, { requests, limits: {} }),
    );
    const most = entriesOf(item.max, isStored).map(([name, bound]) => {
      const asked = requests[name];
      const text = `maximum ${name} usage per ${item.type} is ${bound}`;
      if (asked === undefined) return `${text}.  No request is specified`;
      return isMore(asked, bound) ? `${text}, but request is ${asked}` : undefined;
    });
    return [...least, ...most];
  });
}

const containersOf = (pod: Pod | undefined): Container[] => [
  ...(pod?.spec?.containers ?? []),
  ...(pod?.spec?.initContainers ?? []),
];

const holdingOf = ({ resources }: Container): Holding => ({
  requests: resources?.requests ?? {},
  limits: resources?.limits ?? {},
});

const podHolding = ({ spec }: Pod): Holding => ({
  requests: podAmounts(spec, 'requests'),
  limits: podAmounts(spec, 'limits'),
});

type Found = string | undefined;

function violationsOf(item: LimitRangeItem, now: Holding, before: Holding | undefined): Found[] {
  const isStored = (name: string): boolean =>
    before !== undefined &&
    isSameQuantity(now.requests[name], before.requests[name]) &&
    isSameQuantity(now.limits[name], before.limits[name]);
  const each = (
    bounds: Amounts | undefined,
    check: (type: string, name: string, bound: string, holding: Holding) => Found,
  ): Found[] => entriesOf(bounds, isStored).map(([name, bound]) => check(item.type, name, bound, now));
  return [...each(item.min, below), ...each(item.max, above), ...each(item.maxLimitRequestRatio, apart)];
}

const entriesOf = (bounds: Amounts | undefined, isStored: (name: string) => boolean): [string, string][] =>
  Object.entries(bounds ?? {})
    .filter(([name]) => !isStored(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));

function below(type: string, name: string, least: string, { requests, limits }: Holding): Found {
  const [request, limit] = [requests[name], limits[name]];
  const text = `minimum ${name} usage per ${type} is ${least}`;
  if (request === undefined) return `${text}.  No request is specified`;
  if (isMore(least, request)) return `${text}, but request is ${request}`;
  return limit !== undefined && isMore(least, limit) ? `${text}, but limit is ${limit}` : undefined;
}

function above(type: string, name: string, most: string, { requests, limits }: Holding): Found {
  const [request, limit] = [requests[name], limits[name]];
  const text = `maximum ${name} usage per ${type} is ${most}`;
  if (limit === undefined) return `${text}.  No limit is specified`;
  if (isMore(limit, most)) return `${text}, but limit is ${limit}`;
  return request !== undefined && isMore(request, most) ? `${text}, but request is ${request}` : undefined;
}

function apart(type: string, name: string, ratio: string, { requests, limits }: Holding): Found {
  const nanosOf = (quantity: string | undefined): bigint => parseQuantity(quantity ?? '0').nanos;
  const [request, limit] = [nanosOf(requests[name]), nanosOf(limits[name])];
  const text = `${name} max limit to request ratio per ${type} is ${ratio}`;
  if (request === 0n) return `${text}, but no request is specified or request is 0`;
  if (limit === 0n) return `${text}, but no limit is specified or limit is 0`;
  const isWithin = limit * 1_000_000_000n <= nanosOf(ratio) * request;
  return isWithin
    ? undefined
    : `${text}, but provided ratio is ${(Number(limit) / Number(request)).toFixed(6)}`;
}

/** Everything that is found, once. */
function unique(ranges: readonly LimitRange[], find: (item: LimitRangeItem) => Found[]): string[] {
  const found = ranges.flatMap(({ spec }) => (spec?.limits ?? []).flatMap(find));
  return [...new Set(found.filter((text) => text !== undefined))];
}
