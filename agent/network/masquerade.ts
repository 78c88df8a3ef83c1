/**
 * The packet filter rules of the pod network, as text for one restore. Pure. Applied by `pods.ts`, again after a flush.
 *
 * Pods see each other's real address; towards everything else they take the node's. Forwarding is accepted by a chain
 * of our own, because Docker sets the policy of FORWARD to DROP. Our chains here start with `WHERRY-NET-`; all other
 * `WHERRY-` chains belong to `agent/services`.
 */
import type { Jump } from '../services/firewall.js';
import { netChainPrefix } from '../services/jumps.js';

const masqueradeChain = `${netChainPrefix}MASQ`;
const forwardChain = `${netChainPrefix}FORWARD`;

export function renderNetworkRules(clusterCidr: string): string {
  return `${[
    '*nat',
    `:${masqueradeChain} - [0:0]`,
    `-A ${masqueradeChain} -s ${clusterCidr} ! -d ${clusterCidr} -j MASQUERADE --random-fully`,
    'COMMIT',
    '*filter',
    `:${forwardChain} - [0:0]`,
    `-A ${forwardChain} -s ${clusterCidr} -j ACCEPT`,
    `-A ${forwardChain} -d ${clusterCidr} -j ACCEPT`,
    'COMMIT',
  ].join('\n')}\n`;
}

export const networkJumps: readonly Jump[] = [
  {
    table: 'nat',
    from: 'POSTROUTING',
    to: masqueradeChain,
    position: 'first',
    match: [],
    comment: 'wherry: pods to the outside',
  },
  {
    table: 'filter',
    from: 'FORWARD',
    to: forwardChain,
    position: 'first',
    match: [],
    comment: 'wherry: pod traffic',
  },
];
