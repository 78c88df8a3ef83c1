/**
 * 2. RuntimeClass: a pod that names one gets its overhead, node selector and tolerations. A class that is not there, a
 * selector that contradicts and an overhead that differs are refused, as is an overhead that no class gave.
 */
import { pods, runtimeClasses } from '../../../src/api/kinds.js';
import { compareQuantities } from '../../../src/api/quantity.js';
import type { Pod, PodSpec, RuntimeClass } from '../../../src/api/types.js';
import type { Admission, AdmissionRequest } from '../../registry/admission.js';
import type { PluginDeps } from '../plugin.js';
import { createLookup, isOf } from './lookup.js';
import { mergeTolerations } from './mergetolerations.js';
import { refused } from './refusal.js';

const differs = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
const unfounded = 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead';

export function createRuntimeClass(deps: PluginDeps): Admission {
  const lookUp = createLookup(deps, runtimeClasses, deps.informers.get(runtimeClasses));

  async function classOf(request: AdmissionRequest): Promise<RuntimeClass | undefined> {
    const name = (request.object as Pod).spec?.runtimeClassName;
    if (!name) return undefined;
    const found = await lookUp({ name });
    if (found) return found;
    throw refused(request, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
  }

  return {
    concerns: (resource, operation, subresource) =>
      operation === 'CREATE' && subresource === '' && isOf(resource, pods),
    async mutate(request) {
      const pod = request.object as Pod;
      const found = await classOf(request);
      if (!found || !pod.spec) return pod;
      const why = contradiction(pod.spec, found);
      if (why) throw refused(request, why);
      return { ...pod, spec: withClass(pod.spec, found) };
    },
    async validate(request) {
      const { overhead } = (request.object as Pod).spec ?? {};
      const wanted = (await classOf(request))?.overhead;
      if (!wanted && overhead) throw refused(request, unfounded);
      if (wanted && !isSame(overhead, wanted.podFixed)) throw refused(request, differs);
    },
  };
}

function contradiction({ overhead, nodeSelector }: PodSpec, found: RuntimeClass): string | undefined {
  if (overhead && found.overhead && !isSame(overhead, found.overhead.podFixed)) return differs;
  for (const [key, value] of Object.entries(found.scheduling?.nodeSelector ?? {})) {
    const own = nodeSelector?.[key];
    if (own !== undefined && own !== value)
      return `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`;
  }
  return undefined;
}

function withClass(spec: PodSpec, { overhead, scheduling }: RuntimeClass): PodSpec {
  const made = { ...spec };
  if (overhead?.podFixed) made.overhead = overhead.podFixed;
  if (scheduling?.nodeSelector) made.nodeSelector = { ...spec.nodeSelector, ...scheduling.nodeSelector };
  if (scheduling?.tolerations)
    made.tolerations = mergeTolerations(spec.tolerations ?? [], scheduling.tolerations);
  return made;
}

type Amounts = Record<string, string> | undefined;

/** The same amounts, however they are written. */
function isSame(one: Amounts = {}, other: Amounts = {}): boolean {
  const names = Object.keys(one);
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => {
      const [left, right] = [one[name], other[name]];
      return left !== undefined && right !== undefined && compareQuantities(left, right) === 0;
    })
  );
}
