/**
 * 2. PodTopologyLabels: a pod that gets its node gets the zone and the region of that node as labels, so that it can ask
 * for them by the downward API. What it says of them itself is overwritten, as documented.
 */
import { nodes, pods } from '../../../src/api/kinds.js';
import type { Binding, KubeObject, Pod } from '../../../src/api/types.js';
import type { Admission } from '../../registry/admission.js';
import type { PluginDeps } from '../plugin.js';
import { createLookup, isOf } from './lookup.js';

const copied = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'];

export function createPodTopologyLabels(deps: PluginDeps): Admission {
  // One more cache of all nodes would cost more than a read for each pod.
  const lookUp = createLookup(deps, nodes);
  return {
    concerns: (resource, operation, subresource) =>
      operation === 'CREATE' && (subresource === '' || subresource === 'binding') && isOf(resource, pods),
    async mutate({ object, subresource }) {
      const name = subresource === '' ? (object as Pod).spec?.nodeName : (object as Binding).target?.name;
      const node = name && object ? await lookUp({ name }) : undefined;
      return node && object ? withLabels(object, node.metadata.labels ?? {}) : object;
    },
    validate: async () => undefined,
  };
}

function withLabels(object: KubeObject, ofNode: Record<string, string>): KubeObject {
  const added = copied.flatMap((key) => {
    const value = ofNode[key];
    return value === undefined ? [] : [[key, value] as const];
  });
  if (added.length === 0) return object;
  const labels = { ...object.metadata.labels, ...Object.fromEntries(added) };
  return { ...object, metadata: { ...object.metadata, labels } };
}
