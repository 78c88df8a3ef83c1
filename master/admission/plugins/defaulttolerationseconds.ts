/**
 * 2. DefaultTolerationSeconds: a pod that says nothing of it stays for `--default-eviction-timeout` on a node that is not
 * ready or cannot be reached. Written into the pod on create, and again on update, as Kubernetes does.
 */
import { pods } from '../../../src/api/kinds.js';
import type { Pod, Toleration } from '../../../src/api/types.js';
import type { Admission } from '../../registry/admission.js';
import type { PluginDeps } from '../plugin.js';
import { isOf } from './lookup.js';

/** Taints of a node that is lost. */
const lossTaints = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'];

export const createDefaultTolerationSeconds = ({ options }: PluginDeps): Admission => ({
  concerns: (resource, operation, subresource) =>
    isOf(resource, pods) && subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
  async mutate({ object }) {
    const pod = object as Pod;
    const tolerations = pod.spec?.tolerations ?? [];
    const added = missingTolerations(tolerations, options.defaultEvictionSeconds);
    if (!pod.spec || added.length === 0) return pod;
    return { ...pod, spec: { ...pod.spec, tolerations: [...tolerations, ...added] } };
  },
  validate: async () => undefined,
});

const missingTolerations = (tolerations: readonly Toleration[], tolerationSeconds: number): Toleration[] =>
  lossTaints
    .filter((key) => !tolerations.some((toleration) => covers(toleration, key)))
    .map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds }));

const covers = (toleration: Toleration, key: string): boolean =>
  (!toleration.key || toleration.key === key) && (!toleration.effect || toleration.effect === 'NoExecute');
