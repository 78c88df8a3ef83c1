/**
 * PodDisruptionBudgets of policy/v1beta1. Pure. They differ in one point: an empty selector selects no pod there and
 * every pod in v1. Each is told in the other version by a label that no pod has, as Kubernetes does it.
 */
import { resourceType } from '../../../src/api/kinds.js';
import type { KubeObject, LabelSelector, PodDisruptionBudget } from '../../../src/api/types.js';
import { isSameJson } from '../../registry/codec.js';

export const budgetsV1beta1 = resourceType<KubeObject>(
  'policy/v1beta1',
  'poddisruptionbudgets',
  'PodDisruptionBudget',
  true,
);

const label = 'pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match';
const empty: LabelSelector = {};
const withLabel: LabelSelector = { matchExpressions: [{ key: label, operator: 'Exists' }] };
const withoutLabel: LabelSelector = { matchExpressions: [{ key: label, operator: 'DoesNotExist' }] };

/** In v1 `{}` is everybody, in v1beta1 nobody. */
export const budgetToStored = (object: KubeObject): KubeObject =>
  convert(
    object,
    'policy/v1',
    { everybody: withoutLabel, nobody: empty },
    { everybody: empty, nobody: withLabel },
  );

export const budgetFromStored = (object: KubeObject): KubeObject =>
  convert(
    object,
    'policy/v1beta1',
    { everybody: empty, nobody: withLabel },
    { everybody: withoutLabel, nobody: empty },
  );

interface Extremes {
  everybody: LabelSelector;
  nobody: LabelSelector;
}

function convert(object: KubeObject, apiVersion: string, from: Extremes, to: Extremes): KubeObject {
  const { spec, ...rest } = object as PodDisruptionBudget;
  const selector = spec?.selector;
  if (!spec || !selector) return { ...object, apiVersion };
  const plain = isEmpty(selector) ? empty : selector;
  if (isSameJson(plain, from.everybody))
    return { ...rest, apiVersion, spec: { ...spec, selector: to.everybody } } as KubeObject;
  if (isSameJson(plain, from.nobody))
    return { ...rest, apiVersion, spec: { ...spec, selector: to.nobody } } as KubeObject;
  return { ...object, apiVersion };
}

const isEmpty = ({ matchLabels, matchExpressions }: LabelSelector): boolean =>
  Object.keys(matchLabels ?? {}).length + (matchExpressions ?? []).length === 0;
