/** What Services count for: themselves, their node ports and their load balancer, as their type has them. Pure. */
import type { Service } from '../../../../src/api/types.js';
import type { Evaluator } from './evaluators.js';

const names = ['count/services', 'services', 'services.nodeports', 'services.loadbalancers'];

export const serviceEvaluator: Evaluator<Service> = {
  handles: (operation, subresource) =>
    (operation === 'CREATE' || operation === 'UPDATE') && subresource === '',
  counts: (name) => names.includes(name),
  usage: (service) => ({
    'count/services': '1',
    services: '1',
    'services.nodeports': String(nodePortsOf(service)),
    'services.loadbalancers': service.spec?.type === 'LoadBalancer' ? '1' : '0',
  }),
  isInScope: () => false,
};

/** As many as it will have: they may not be given yet. */
function nodePortsOf({ spec }: Service): number {
  const ports = spec?.ports ?? [];
  if (spec?.type === 'NodePort') return ports.length;
  if (spec?.type !== 'LoadBalancer') return 0;
  return spec.allocateLoadBalancerNodePorts === false
    ? ports.filter(({ nodePort }) => nodePort).length
    : ports.length;
}
