/**
 * The rules of one service, and those around all services, as lines of `iptables-restore`. Pure.
 *
 *   nat PREROUTING, OUTPUT -> WHERRY-SERVICES --cluster address--> WHERRY-S (any endpoint) -> WHERRY-E -> DNAT
 *                                 |                            \-> WHERRY-L (endpoint of this node) -> WHERRY-E
 *                                 +--external address, node port--> WHERRY-X --by traffic policy--> S or L
 *   nat POSTROUTING -> WHERRY-POSTROUTING: what carries our mark takes this node's address
 *   filter INPUT, FORWARD, OUTPUT -> WHERRY-REJECT: services without an endpoint
 *
 * Node ports answer on every address of the node but 127.0.0.0/8, which would need `route_localnet`.
 */
import { createHash } from 'node:crypto';
import type { Jump } from './firewall.js';
import { chainPrefix, commentOf } from './jumps.js';
import type { ServicePort, Target } from './model.js';

/** Bit of the packet mark that asks for masquerading; the one that Kubernetes documents as its default (bit 14). */
export const masqueradeMark = '0x4000/0x4000';
const markToMasquerade = `-j MARK --set-xmark ${masqueradeMark}`;

export const chains = {
  services: `${chainPrefix}SERVICES`,
  nodePorts: `${chainPrefix}NODEPORTS`,
  postrouting: `${chainPrefix}POSTROUTING`,
  forward: `${chainPrefix}FORWARD`,
  reject: `${chainPrefix}REJECT`,
} as const;

/** What one service contributes. Chain bodies are lines without `-A chain`. */
export interface ServiceRules {
  /** Chains of its own in `nat`, by name. */
  own: ReadonlyMap<string, readonly string[]>;
  services: readonly string[];
  nodePorts: readonly string[];
  reject: readonly string[];
}

/** Names have at most 28 characters; 80 bits of hash tell services apart. */
function chainName(letter: 'S' | 'L' | 'X' | 'E', ...parts: readonly string[]): string {
  const hash = createHash('sha256').update(parts.join(' ')).digest('hex').slice(0, 16).toUpperCase();
  return `${chainPrefix}${letter}-${hash}`;
}

export function renderService(ports: readonly ServicePort[], clusterCidr: string): ServiceRules {
  const rules = {
    own: new Map<string, string[]>(),
    services: [] as string[],
    nodePorts: [] as string[],
    reject: [] as string[],
  };
  for (const port of ports) {
    const names = {
      cluster: chainName('S', port.name, port.protocol),
      local: chainName('L', port.name, port.protocol),
      external: chainName('X', port.name, port.protocol),
    };
    const hasExternal = port.nodePort > 0 || port.externalIps.length > 0 || port.loadBalancerIps.length > 0;
    const isLocalUsed = port.isInternalLocal || (port.isExternalLocal && hasExternal);
    const isClusterUsed = !port.isInternalLocal || hasExternal;
    const entry = port.isInternalLocal ? names.local : names.cluster;
    if (isClusterUsed) rules.own.set(names.cluster, balance(port, port.targets));
    if (isLocalUsed) rules.own.set(names.local, balance(port, port.localTargets));
    rules.own.get(entry)?.unshift(...masqueradeOutsiders(port, clusterCidr));
    if (hasExternal) rules.own.set(names.external, external(port, names, clusterCidr));
    for (const target of [...port.targets, ...port.localTargets]) {
      rules.own.set(endpointChain(port, target), endpoint(port, target));
    }
    const comment = commentOf(port.name);
    const to = (address: string): string => `-d ${address}/32 ${portMatch(port, port.port)} ${comment}`;
    rules.services.push(`${to(port.clusterIp)} -j ${entry}`);
    for (const address of port.externalIps) rules.services.push(`${to(address)} -j ${names.external}`);
    for (const address of port.loadBalancerIps) {
      const sources = port.sourceRanges.length > 0 ? port.sourceRanges.map((range) => `-s ${range} `) : [''];
      rules.services.push(...sources.map((source) => `${source}${to(address)} -j ${names.external}`));
    }
    if (port.nodePort > 0) {
      rules.nodePorts.push(`${portMatch(port, port.nodePort)} ${comment} -j ${names.external}`);
    }
    rules.reject.push(...refusals(port, to));
  }
  return rules;
}

const portMatch = ({ protocol }: ServicePort, port: number): string =>
  `-p ${protocol} -m ${protocol} --dport ${port}`;

/** Who is no pod may not know the way back to a pod, and no pod the way to it: it takes the node's address. */
const masqueradeOutsiders = (port: ServicePort, clusterCidr: string): string[] =>
  port.targets.length > 0 ? [`! -s ${clusterCidr} -d ${port.clusterIp}/32 ${markToMasquerade}`] : [];

const endpointChain = (port: ServicePort, target: Target): string =>
  chainName('E', port.name, port.protocol, `${target.address}:${target.port}`);

/** Clients that an endpoint knows go there again; all others to each endpoint with the same probability. */
function balance(port: ServicePort, targets: readonly Target[]): string[] {
  const remembered =
    port.affinitySeconds === 0
      ? []
      : targets.map((target) => {
          const chain = endpointChain(port, target);
          return `-m recent --name ${chain} --rcheck --seconds ${port.affinitySeconds} --reap --rsource -j ${chain}`;
        });
  const random = targets.map((target, index) => {
    const left = targets.length - index;
    const choice = left === 1 ? '' : `-m statistic --mode random --probability ${(1 / left).toFixed(10)} `;
    return `${choice}-j ${endpointChain(port, target)}`;
  });
  return [...remembered, ...random];
}

function endpoint(port: ServicePort, target: Target): string[] {
  const remember =
    port.affinitySeconds === 0 ? '' : `-m recent --name ${endpointChain(port, target)} --set --rsource `;
  return [
    // A pod that reaches itself through its service would see its own address as sender, and answer itself.
    `-s ${target.address}/32 ${markToMasquerade}`,
    `-p ${port.protocol} -m ${port.protocol} ${remember}-j DNAT --to-destination ${target.address}:${target.port}`,
  ];
}

/**
 * Traffic from outside: policy `Cluster` hides the client behind this node; `Local` keeps it and stays on this node,
 * but for clients that are pods or this node itself, who get any endpoint.
 */
function external(
  port: ServicePort,
  names: { cluster: string; local: string },
  clusterCidr: string,
): string[] {
  if (port.targets.length === 0) return [];
  if (!port.isExternalLocal) return [markToMasquerade, `-j ${names.cluster}`];
  return [
    `-s ${clusterCidr} -j ${names.cluster}`,
    `-m addrtype --src-type LOCAL ${markToMasquerade}`,
    `-m addrtype --src-type LOCAL -j ${names.cluster}`,
    `-j ${names.local}`,
  ];
}

/** What reaches the filter table still addressed to a service found no endpoint: refuse; drop where policy forbids it. */
function refusals(port: ServicePort, to: (address: string) => string): string[] {
  const verdict = (targets: readonly Target[]): string | undefined => {
    if (port.targets.length === 0) return `-j REJECT --reject-with icmp-port-unreachable`;
    return targets.length === 0 ? '-j DROP' : undefined;
  };
  const lines: string[] = [];
  const internal = verdict(port.isInternalLocal ? port.localTargets : port.targets);
  if (internal) lines.push(`${to(port.clusterIp)} ${internal}`);
  const outer = verdict(port.isExternalLocal ? port.localTargets : port.targets);
  if (outer) lines.push(...port.externalIps.map((address) => `${to(address)} ${outer}`));
  const balanced = outer ?? (port.sourceRanges.length > 0 ? '-j DROP' : undefined);
  if (balanced) lines.push(...port.loadBalancerIps.map((address) => `${to(address)} ${balanced}`));
  if (outer && port.nodePort > 0) {
    const match = `-m addrtype --dst-type LOCAL ${portMatch(port, port.nodePort)} ${commentOf(port.name)}`;
    lines.push(`${match} ${outer}`);
  }
  return lines;
}

/** Last line of the services chain. */
export const nodePortsRule = `! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j ${chains.nodePorts}`;

/** Bodies of the chains that do not depend on any service. */
export const fixedRules = (clusterCidr: string) => ({
  nat: {
    [chains.postrouting]: [
      `-m mark ! --mark ${masqueradeMark} -j RETURN`,
      `-j MARK --set-xmark 0x4000/0x0`,
      '-j MASQUERADE --random-fully',
    ],
  },
  filter: {
    [chains.forward]: [
      `-m conntrack --ctstate NEW -j ${chains.reject}`,
      // An answer that conntrack does not know would reach the client with the pod's own address and reset it.
      `-s ${clusterCidr} -m conntrack --ctstate INVALID -j DROP`,
      `-m mark --mark ${masqueradeMark} -j ACCEPT`,
      '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    ],
  },
});

const jump = (table: Jump['table'], from: string, to: string, match: readonly string[] = []): Jump => ({
  ...{ table, from, to, match },
  position: 'first',
  comment: 'wherry: services',
});

const isNew = ['-m', 'conntrack', '--ctstate', 'NEW'];

export const serviceJumps: readonly Jump[] = [
  jump('nat', 'PREROUTING', chains.services),
  jump('nat', 'OUTPUT', chains.services),
  jump('nat', 'POSTROUTING', chains.postrouting),
  jump('filter', 'INPUT', chains.reject, isNew),
  jump('filter', 'OUTPUT', chains.reject, isNew),
  jump('filter', 'FORWARD', chains.forward),
];
