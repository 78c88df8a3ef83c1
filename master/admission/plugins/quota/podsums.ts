/**
 * What a pod asks for as a whole, as exact quantities: its containers together or the most that its init containers need
 * at a time, whichever is more; sidecars run along with everything after them; what the pod says as a whole replaces the
 * sum. Pure. (`src/api/podresources.ts` has the same as numbers, for the scheduler.)
 */
import type { Container, Pod, PodSpec } from '../../../../src/api/types.js';
import { type Amounts, add, larger } from './amounts.js';

export type Kind = 'requests' | 'limits';

type AmountsOf = (container: Container) => Amounts;

const asWritten =
  (kind: Kind): AmountsOf =>
  ({ resources }) =>
    resources?.[kind] ?? {};

/** Without overhead, as LimitRanger looks at it. */
export function podAmounts(
  spec: PodSpec | undefined,
  kind: Kind,
  amountsOf = asWritten(kind),
): Record<string, string> {
  if (!spec) return {};
  const inits = spec.initContainers ?? [];
  const sidecars: Amounts[] = [];
  let peak: Amounts = {};
  for (const container of inits) {
    const own = amountsOf(container);
    peak = larger(peak, add(...sidecars, own));
    if (container.restartPolicy === 'Always') sidecars.push(own);
  }
  const running = add(...spec.containers.map(amountsOf), ...sidecars);
  return { ...larger(running, peak), ...spec.resources?.[kind] };
}

/**
 * What the pod is charged for: with its overhead (in the sum of limits only where there is a limit), and with what its
 * containers still have while a resize is under way.
 */
export function chargedAmounts({ spec, status }: Pod, kind: Kind): Record<string, string> {
  const isInfeasible = status?.conditions?.some(
    ({ type, status: value, reason }) =>
      type === 'PodResizePending' && value === 'True' && reason === 'Infeasible',
  );
  const statuses = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])];
  const written = asWritten(kind);
  const sum = podAmounts(spec, kind, (container) => {
    const present = statuses.find(({ name }) => name === container.name);
    if (!present?.resources) return written(container);
    const allocated = (kind === 'requests' && present.allocatedResources) || {};
    const actual = larger(present.resources[kind] ?? {}, allocated);
    return isInfeasible ? actual : larger(written(container), actual);
  });
  const overhead = Object.entries(spec?.overhead ?? {}).filter(
    ([name]) => kind === 'requests' || sum[name] !== undefined,
  );
  return add(sum, Object.fromEntries(overhead));
}
