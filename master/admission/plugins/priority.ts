/**
 * 2. Priority: a new pod gets `priority` and `preemptionPolicy` from its PriorityClass, or from the one that is the default
 * of the cluster; what it says itself must agree. Of the classes only one may be the default.
 */
import { pods, priorityClasses } from '../../../src/api/kinds.js';
import type { Pod, PriorityClass } from '../../../src/api/types.js';
import type { Admission, AdmissionRequest } from '../../registry/admission.js';
import type { PluginDeps } from '../plugin.js';
import { createLookup, isOf } from './lookup.js';
import { refused } from './refusal.js';

/** What a pod has where no class is the default. */
const noClass: PriorityClass = { metadata: {}, value: 0, preemptionPolicy: 'PreemptLowerPriority' };

export function createPriority(deps: PluginDeps): Admission {
  const classes = deps.informers.get(priorityClasses);
  const lookUp = createLookup(deps, priorityClasses, classes);

  async function classOf(request: AdmissionRequest, name: string | undefined): Promise<PriorityClass> {
    if (!name) return defaultOf(classes.list()) ?? noClass;
    const found = await lookUp({ name });
    if (found) return found;
    throw refused(request, `no PriorityClass with name ${name} was found`);
  }

  return {
    concerns: (resource, operation, subresource) =>
      subresource === '' &&
      (operation === 'CREATE' || operation === 'UPDATE') &&
      (isOf(resource, pods) || isOf(resource, priorityClasses)),
    async mutate(request) {
      if (!isOf(request.resource, pods)) return request.object;
      const pod = request.object as Pod;
      if (request.oldObject) return withPriorityOf(pod, request.oldObject);
      if (!pod.spec) return pod;
      const found = await classOf(request, pod.spec.priorityClassName);
      const why = disagreement(pod, found);
      if (why) throw refused(request, why);
      return withClass(pod, found);
    },
    async validate(request) {
      const one = request.object as PriorityClass;
      if (!isOf(request.resource, priorityClasses) || !one.globalDefault) return;
      // From the store, not the cache: two that come one behind the other must not both be let in.
      const { items } = await deps.client.list(priorityClasses);
      const other = defaultOf(items.filter(({ metadata }) => metadata.name !== one.metadata.name));
      if (other)
        throw refused(
          request,
          `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`,
        );
    },
  };
}

/** Should there be several, the lowest one. */
const defaultOf = (classes: readonly PriorityClass[]): PriorityClass | undefined =>
  classes
    .filter(({ globalDefault }) => globalDefault)
    .reduce<PriorityClass | undefined>(
      (lowest, one) => (lowest && levelOf(lowest) <= levelOf(one) ? lowest : one),
      undefined,
    );

const levelOf = ({ value }: PriorityClass): number => value ?? 0;

function disagreement({ spec }: Pod, found: PriorityClass): string | undefined {
  const computed = levelOf(found);
  if (spec?.priority !== undefined && spec.priority !== computed)
    return (
      `the integer value of priority (${spec.priority}) must not be provided in pod spec; ` +
      `priority admission controller computed ${computed} from the given PriorityClass name`
    );
  const policy = found.preemptionPolicy;
  if (policy && spec?.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy)
    return (
      `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; ` +
      `priority admission controller computed ${policy} from the given PriorityClass name`
    );
  return undefined;
}

function withClass(pod: Pod, { metadata, value = 0, preemptionPolicy }: PriorityClass): Pod {
  if (!pod.spec) return pod;
  const spec = { ...pod.spec, priority: value };
  if (metadata.name) spec.priorityClassName = metadata.name;
  if (preemptionPolicy) spec.preemptionPolicy = preemptionPolicy;
  return { ...pod, spec };
}

/** Both are fixed when the pod is made; who leaves them out of an update does not mean to remove them. */
function withPriorityOf(pod: Pod, { spec: old }: Pod): Pod {
  const { spec } = pod;
  if (!spec || !old) return pod;
  const isMissing =
    (spec.priority === undefined && old.priority !== undefined) ||
    (spec.preemptionPolicy === undefined && old.preemptionPolicy !== undefined);
  if (!isMissing) return pod;
  const kept = {
    priority: spec.priority ?? old.priority,
    preemptionPolicy: spec.preemptionPolicy ?? old.preemptionPolicy,
  };
  return { ...pod, spec: { ...spec, ...kept } };
}
