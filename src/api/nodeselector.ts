/**
 * Node selectors of pods, compiled: `nodeSelector`, required node affinity and preferred terms. Pure.
 * Called by the scheduler, and by the node's admission.
 *
 * Terms are alternatives; within a term everything must hold. A term without any requirement, or with one that does
 * not parse, selects no node (as Kubernetes documents the first and does with the second).
 */
import { type Requirement, Selector, SelectorError, selectorOfLabels } from './selectors.js';
import type { NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from './types.js';

/** What of a node a selector asks for. */
export interface SelectableNode {
  name: string;
  labels: Readonly<Record<string, string>>;
}

export type NodePredicate = (node: SelectableNode) => boolean;

const operators: Record<string, Requirement['operator']> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
  Gt: 'gt',
  Lt: 'lt',
};

const never: NodePredicate = () => false;

function labelPredicate(expressions: readonly NodeSelectorRequirement[]): NodePredicate {
  const requirements: Requirement[] = [];
  for (const { key, operator, values = [] } of expressions) {
    const known = Object.hasOwn(operators, operator) ? operators[operator] : undefined;
    if (!known) return never;
    requirements.push({ key, operator: known, values });
  }
  try {
    const selector = Selector.of(requirements);
    return (node) => selector.matches(node.labels);
  } catch (error) {
    if (error instanceof SelectorError) return never;
    throw error;
  }
}

/** The only field is the name; names are longer than label values may be, so this is no label selector. */
function fieldPredicate({ key, operator, values = [] }: NodeSelectorRequirement): NodePredicate {
  if (key !== 'metadata.name') return never;
  if (operator === 'In') return (node) => values.includes(node.name);
  if (operator === 'NotIn') return (node) => !values.includes(node.name);
  return never;
}

export function compileNodeTerm({
  matchExpressions = [],
  matchFields = [],
}: NodeSelectorTerm): NodePredicate {
  if (matchExpressions.length + matchFields.length === 0) return never;
  const fields = matchFields.map(fieldPredicate);
  const labels = matchExpressions.length > 0 ? labelPredicate(matchExpressions) : undefined;
  return (node) => fields.every((holds) => holds(node)) && (labels?.(node) ?? true);
}

/** Nodes the pod may run on by `nodeSelector` and required node affinity; undefined when it does not say. */
export function compileNodeSelector({ nodeSelector, affinity }: PodSpec): NodePredicate | undefined {
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const hasLabels = nodeSelector !== undefined && Object.keys(nodeSelector).length > 0;
  if (!hasLabels && !required) return undefined;
  const selector = selectorOfLabels(hasLabels ? nodeSelector : {});
  const terms = required?.nodeSelectorTerms.map(compileNodeTerm);
  return (node) => selector.matches(node.labels) && (terms?.some((term) => term(node)) ?? true);
}
