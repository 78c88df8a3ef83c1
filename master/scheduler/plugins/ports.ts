/** Host ports: one pod of a node has a port, unless they are bound to different IPs. Pure. */
import { anyIp, type HostPort, portKey } from '../../../src/api/hostports.js';
import type { NodeInfo } from '../nodeinfo.js';
import type { Filter } from '../plugin.js';

const reasons = ["node(s) didn't have free ports for the requested pod ports"];

function isTaken(node: NodeInfo, port: HostPort): boolean {
  const ips = node.ports.get(portKey(port)) ?? [];
  return ips.some((ip) => ip === anyIp || port.ip === anyIp || ip === port.ip);
}

export const hostPorts: Filter = {
  name: 'NodePorts',
  helpedBy: ['podGone'],
  prepare: ({ ports }) =>
    ports.length === 0
      ? undefined
      : (node) => (ports.some((port) => isTaken(node, port)) ? reasons : undefined),
};
