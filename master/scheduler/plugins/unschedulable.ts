/** Cordoned nodes take no pods but those that tolerate it (those of daemon sets do). Pure. */

import { tolerates } from '../../../src/api/tolerations.js';
import type { Filter } from '../plugin.js';

const cordoned = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
const reasons = ['node(s) were unschedulable'];

export const nodeUnschedulable: Filter = {
  name: 'NodeUnschedulable',
  helpedBy: ['nodeTaints'],
  prepare: ({ spec }) =>
    tolerates(spec.tolerations, cordoned)
      ? undefined
      : (node) => (node.isUnschedulable ? reasons : undefined),
};
