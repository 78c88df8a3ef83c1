/**
 * 2. TaintNodesByCondition: a new node takes no pods until it has said that it is ready: the node lifecycle controller
 * removes the taint then.
 */
import { nodes } from '../../../src/api/kinds.js';
import type { Node } from '../../../src/api/types.js';
import type { Admission } from '../../registry/admission.js';
import { isOf } from './lookup.js';

const notReady = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };

export const createTaintNodesByCondition = (): Admission => ({
  concerns: (resource, operation, subresource) =>
    operation === 'CREATE' && subresource === '' && isOf(resource, nodes),
  async mutate({ object }) {
    const node = object as Node;
    const taints = node.spec?.taints ?? [];
    if (taints.some(({ key, effect }) => key === notReady.key && effect === notReady.effect)) return node;
    return { ...node, spec: { ...node.spec, taints: [...taints, notReady] } };
  },
  validate: async () => undefined,
});
