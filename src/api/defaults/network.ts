/** Defaults of Ingresses, IngressClasses and NetworkPolicies, as documented. Pure; every function changes its argument. */
import type { IngressClass, NetworkPolicy } from '../types.js';

export function defaultIngressClass({ spec }: IngressClass): void {
  if (spec?.parameters) spec.parameters.scope ??= 'Cluster';
}

/** A policy that says nothing of its types is one for incoming traffic, and for outgoing when it has such rules. */
export function defaultNetworkPolicy(policy: NetworkPolicy): void {
  policy.spec ??= {};
  const { spec } = policy;
  spec.podSelector ??= {};
  if (!spec.policyTypes?.length) spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
  for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
    for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
}
