/** Host ports: one pod of a node has a port, unless they are bound to different IPs. Pure. */
import { type NodeInfo, portKey } from '../nodeinfo.js';
import type { Filter } from '../plugin.js';
import type { HostPort } from '../podinfo.js';

const all = '0.0.0.0';
const reasons = ["node(s) didn't have free ports for the requested pod ports"];

function isTaken(node: NodeInfo, port: HostPort): boolean {
  const ips = node.ports.get(portKey(port)) ?? [];
  return ips.some((ip) => ip === all || port.ip === all || ip === port.ip);
}

export const hostPorts: Filter = {
  name: 'NodePorts',
  helpedBy: ['podGone'],
  prepare: ({ ports }) =>
    ports.length === 0
      ? undefined
      : (node) => (ports.some((port) => isTaken(node, port)) ? reasons : undefined),
};
