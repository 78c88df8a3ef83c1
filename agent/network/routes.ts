/**
 * How pods of other nodes are reached: which routes and VXLAN peers this node should have, and the `ip` and `bridge`
 * commands that lead from what is there to that. Pure; `router.ts` observes and acts.
 *
 * A node that the kernel reaches without a gateway gets a plain route (`host-gw`); any other gets a route over one
 * VXLAN device. A node's MAC address on it follows from its IP address, so nothing has to be exchanged. Only routes
 * with our protocol number are ours.
 */

import type { Node } from '../../src/api/types.js';
import { isIpv4 } from '../../src/net/ip.js';
import { vxlanOverheadBytes } from './links.js';

/** Marks our routes (`ip route show proto 119`); no daemon has claimed the number in rt_protos. */
export const routeProtocol = '119';
export const vxlanDevice = 'wherry.1';
const vxlanId = '1';
/** What Linux and flannel use; 4789 would collide with Docker's overlay networks. */
const vxlanPort = 8472;

export interface Peer {
  name: string;
  podCidr: string;
  nodeIp: string;
}

export interface OwnNode {
  /** '' until the master has assigned it. */
  podCidr: string;
  nodeIp: string;
  device: string;
  mtuBytes: number;
}

export interface RouteState {
  dst: string;
  gateway?: string;
  dev?: string;
}

export interface VxlanState {
  macAddress: string;
  nodeIp: string;
  device: string;
  mtuBytes: number;
  port: number;
  /** IPv4 addresses on the device. */
  addresses: readonly string[];
  /** MAC address by gateway address. */
  neighbours: ReadonlyMap<string, string>;
  /** Node address by MAC address. */
  forwarding: ReadonlyMap<string, string>;
}

export interface Observed {
  /** Our routes. */
  routes: readonly RouteState[];
  vxlan: VxlanState | undefined;
  /** Node addresses that the kernel reaches without a gateway. */
  direct: ReadonlySet<string>;
}

/** One line of `ip -batch` or `bridge -batch`. */
export interface Command {
  tool: 'ip' | 'bridge';
  args: readonly string[];
}

/** Other nodes that have a pod range and an IPv4 address. */
export function peersOf(nodes: readonly Node[], ownName: string): Peer[] {
  return nodes.flatMap((node) => {
    const name = node.metadata.name ?? '';
    const podCidr = node.spec?.podCIDR ?? '';
    const nodeIp = internalIpOf(node);
    return name === ownName || podCidr === '' || nodeIp === '' ? [] : [{ name, podCidr, nodeIp }];
  });
}

/** The first IPv4 `InternalIP` of a node's status; '' when it has none. */
export const internalIpOf = (node: Node): string =>
  node.status?.addresses?.find(({ type, address }) => type === 'InternalIP' && isIpv4(address))?.address ??
  '';

/** Locally administered, unique per IPv4 address. */
export const macOf = (nodeIp: string): string =>
  ['0a', '58', ...nodeIp.split('.').map((part) => Number(part).toString(16).padStart(2, '0'))].join(':');

const networkAddress = (cidr: string): string => cidr.split('/')[0] ?? '';

export function planRoutes(own: OwnNode, peers: readonly Peer[], observed: Observed): Command[] {
  const distant = own.podCidr === '' ? [] : peers.filter((peer) => !observed.direct.has(peer.nodeIp));
  const near = peers.filter((peer) => observed.direct.has(peer.nodeIp));
  const isUsable = distant.length > 0 && observed.vxlan !== undefined && isAsWanted(own, observed.vxlan);
  const vxlan = isUsable ? observed.vxlan : undefined;
  // Routes over a device that goes away go with it.
  const routes = observed.routes.filter((route) => vxlan !== undefined || route.dev !== vxlanDevice);
  const wanted = new Map<string, RouteState>();
  for (const peer of near) wanted.set(peer.podCidr, { dst: peer.podCidr, gateway: peer.nodeIp });
  for (const { podCidr } of distant) {
    wanted.set(podCidr, { dst: podCidr, gateway: networkAddress(podCidr), dev: vxlanDevice });
  }
  return [
    ...planDevice(own, distant.length > 0, observed.vxlan, vxlan),
    ...planPeers(distant, vxlan),
    ...planTable([...wanted.values()], routes),
  ];
}

const isAsWanted = (own: OwnNode, vxlan: VxlanState): boolean =>
  vxlan.macAddress === macOf(own.nodeIp) &&
  vxlan.nodeIp === own.nodeIp &&
  vxlan.device === own.device &&
  vxlan.port === vxlanPort &&
  vxlan.mtuBytes === own.mtuBytes - vxlanOverheadBytes &&
  vxlan.addresses.length === 1 &&
  vxlan.addresses[0] === networkAddress(own.podCidr);

function planDevice(
  own: OwnNode,
  isNeeded: boolean,
  found: VxlanState | undefined,
  usable: VxlanState | undefined,
): Command[] {
  const remove: Command[] = found && !usable ? [ip('link', 'delete', 'dev', vxlanDevice)] : [];
  if (!isNeeded || usable) return remove;
  const mtu = String(own.mtuBytes - vxlanOverheadBytes);
  return [
    ...remove,
    ip(
      ...[
        'link',
        'add',
        vxlanDevice,
        'address',
        macOf(own.nodeIp),
        'mtu',
        mtu,
        'type',
        'vxlan',
        'id',
        vxlanId,
      ],
      ...['local', own.nodeIp, 'dev', own.device, 'dstport', String(vxlanPort), 'nolearning'],
    ),
    ip('address', 'add', `${networkAddress(own.podCidr)}/32`, 'dev', vxlanDevice),
    ip('link', 'set', 'dev', vxlanDevice, 'up'),
  ];
}

function planPeers(distant: readonly Peer[], vxlan: VxlanState | undefined): Command[] {
  const neighbours = new Map(distant.map((peer) => [networkAddress(peer.podCidr), macOf(peer.nodeIp)]));
  const forwarding = new Map(distant.map((peer) => [macOf(peer.nodeIp), peer.nodeIp]));
  const commands: Command[] = [];
  for (const [address, mac] of neighbours) {
    if (vxlan?.neighbours.get(address) === mac) continue;
    commands.push(ip('neighbour', 'replace', address, 'lladdr', mac, 'dev', vxlanDevice, 'nud', 'permanent'));
  }
  for (const [mac, nodeIp] of forwarding) {
    if (vxlan?.forwarding.get(mac) === nodeIp) continue;
    commands.push(bridge('fdb', 'replace', mac, 'dev', vxlanDevice, 'dst', nodeIp));
  }
  for (const address of vxlan?.neighbours.keys() ?? []) {
    if (!neighbours.has(address)) commands.push(ip('neighbour', 'delete', address, 'dev', vxlanDevice));
  }
  for (const mac of vxlan?.forwarding.keys() ?? []) {
    if (!forwarding.has(mac)) commands.push(bridge('fdb', 'delete', mac, 'dev', vxlanDevice));
  }
  return commands;
}

function planTable(wanted: readonly RouteState[], found: readonly RouteState[]): Command[] {
  const isMet = (route: RouteState): boolean =>
    found.some(
      ({ dst, gateway, dev }) =>
        dst === route.dst && gateway === route.gateway && (!route.dev || dev === route.dev),
    );
  const stale = found.filter(({ dst }) => !wanted.some((route) => route.dst === dst));
  return [
    ...stale.map(({ dst }) => ip('route', 'delete', dst, 'proto', routeProtocol)),
    ...wanted.filter((route) => !isMet(route)).map(toReplace),
  ];
}

const toReplace = ({ dst, gateway = '', dev }: RouteState): Command =>
  ip('route', 'replace', dst, 'via', gateway, ...(dev ? ['dev', dev, 'onlink'] : []), 'proto', routeProtocol);

const ip = (...args: string[]): Command => ({ tool: 'ip', args });
const bridge = (...args: string[]): Command => ({ tool: 'bridge', args });
