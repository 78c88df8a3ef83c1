/** Taints: NoSchedule and NoExecute keep pods away that do not tolerate them, PreferNoSchedule counts against. Pure. */

import { tolerates } from '../../../src/api/tolerations.js';
import { type Filter, type Score, scaleToMax } from '../plugin.js';

export const taintFilter: Filter = {
  name: 'TaintToleration',
  helpedBy: ['nodeTaints'],
  prepare:
    ({ spec }) =>
    (node) => {
      if (node.hardTaints.length === 0) return undefined;
      const taint = node.hardTaints.find((one) => !tolerates(spec.tolerations, one));
      return taint && [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`];
    },
};

export const taintScore: Score = {
  name: 'TaintToleration',
  weight: 8,
  prepare({ spec }, _snapshot, candidates) {
    if (candidates.every((node) => node.softTaints.length === 0)) return undefined;
    return {
      score: (node) => node.softTaints.filter((one) => !tolerates(spec.tolerations, one)).length,
      normalize: (scores) => scaleToMax(scores, true),
    };
  },
};
