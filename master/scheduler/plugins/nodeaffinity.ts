/** Node selectors: required ones filter, preferred ones score by the sum of the weights that hold. Pure. */
import { compileNodeSelector, compileNodeTerm } from '../../../src/api/nodeselector.js';
import { type Filter, type Score, scaleToMax } from '../plugin.js';

const reasons = ["node(s) didn't match Pod's node affinity/selector"];

export const nodeAffinityFilter: Filter = {
  name: 'NodeAffinity',
  helpedBy: ['nodeLabels'],
  prepare({ spec }) {
    const isWanted = compileNodeSelector(spec);
    return isWanted && ((node) => (isWanted(node) ? undefined : reasons));
  },
};

export const nodeAffinityScore: Score = {
  name: 'NodeAffinity',
  weight: 8,
  prepare({ spec }) {
    const preferred = spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (preferred.length === 0) return undefined;
    const terms = preferred.map(({ weight, preference }) => ({ weight, holds: compileNodeTerm(preference) }));
    return {
      score: (node) => terms.reduce((sum, { weight, holds }) => (holds(node) ? sum + weight : sum), 0),
      normalize: scaleToMax,
    };
  },
};
