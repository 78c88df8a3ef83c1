/** The columns of nodes. Pure. */
import { findCondition } from '../../../src/api/meta.js';
import type { Node } from '../../../src/api/types.js';
import type { Printer } from '../resource.js';
import { ageColumn, createdAge, nameColumn, text, wide } from './age.js';

const none = '<none>';
const rolePrefix = 'node-role.kubernetes.io/';

export const nodePrinter: Printer<Node> = {
  columns: [
    nameColumn,
    text('Status', 'Whether it is ready, and whether pods may be scheduled on it.'),
    text('Roles', 'Roles given to it by labels.'),
    ageColumn,
    text('Version', 'Version of its agent.'),
    wide(text('Internal-IP', 'Its address inside the cluster.')),
    wide(text('External-IP', 'Its address outside the cluster.')),
    wide(text('OS-Image', 'Its operating system.')),
    wide(text('Kernel-Version', 'Its kernel.')),
    wide(text('Container-Runtime', 'What runs its containers.')),
  ],
  cells(node, now) {
    const info = node.status?.nodeInfo;
    return [
      node.metadata.name,
      statusOf(node),
      rolesOf(node),
      createdAge(node, now),
      info?.kubeletVersion,
      addressOf(node, 'InternalIP'),
      addressOf(node, 'ExternalIP'),
      info?.osImage || '<unknown>',
      info?.kernelVersion || '<unknown>',
      info?.containerRuntimeVersion || '<unknown>',
    ];
  },
};

function statusOf(node: Node): string {
  const ready = findCondition(node.status?.conditions, 'Ready');
  const word = ready ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown';
  return node.spec?.unschedulable ? `${word},SchedulingDisabled` : word;
}

function rolesOf(node: Node): string {
  const roles = Object.entries(node.metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(rolePrefix)) return [key.slice(rolePrefix.length)];
    return key === 'kubernetes.io/role' ? [value] : [];
  });
  return [...new Set(roles.filter(Boolean))].sort().join(',') || none;
}

const addressOf = (node: Node, type: string): string =>
  node.status?.addresses?.find((address) => address.type === type)?.address ?? none;
