/**
 * Validation of what Deployment and ReplicaSet have in common: selector, pod template, replicas. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { selectorOf } from '../../../src/api/selectors.js';
import type { LabelSelector, PodTemplateSpec } from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import {
  forbiddenField,
  immutable,
  invalidValue,
  nonNegative,
  notSupported,
  required,
} from '../validation/field.js';
import { validateAnnotations, validateLabels } from '../validation/metadata.js';
import { validatePodSpec } from './podspec.js';
import { validateLabelSelector } from './selector.js';

interface Templated {
  replicas?: number | undefined;
  minReadySeconds?: number | undefined;
  selector?: LabelSelector | undefined;
  template?: PodTemplateSpec | undefined;
}

export function validateTemplated(spec: Templated): FieldError[] {
  const { selector, template } = spec;
  const numbers = [
    ...nonNegative('spec.replicas', spec.replicas),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
  ];
  const selectorErrors = validateSelector(selector);
  if (!template?.spec) return [...numbers, ...selectorErrors, required('spec.template.spec.containers')];
  return [
    ...numbers,
    ...selectorErrors,
    ...validateTemplate(template, selectorErrors.length === 0 ? selector : undefined),
  ];
}

function validateSelector(selector: LabelSelector | undefined): FieldError[] {
  if (!selector) return [required('spec.selector')];
  const errors = validateLabelSelector('spec.selector', selector);
  const isEmpty =
    Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0;
  return isEmpty
    ? [...errors, invalidValue('spec.selector', selector, 'empty selector is invalid for deployment')]
    : errors;
}

function validateTemplate(template: PodTemplateSpec, selector: LabelSelector | undefined): FieldError[] {
  const { metadata, spec } = template;
  const errors = [
    ...validateLabels(metadata?.labels, 'spec.template.labels'),
    ...validateAnnotations(metadata?.annotations, 'spec.template.annotations'),
    ...(spec ? validatePodSpec('spec.template.spec', spec) : []),
  ];
  if (selector && !selectorOf(selector).matches(metadata?.labels)) {
    const detail = '`selector` does not match template `labels`';
    errors.push(invalidValue('spec.template.metadata.labels', metadata?.labels ?? {}, detail));
  }
  const policy = spec?.restartPolicy;
  if (policy !== undefined && policy !== 'Always') {
    errors.push(notSupported('spec.template.spec.restartPolicy', policy, ['Always']));
  }
  if (spec?.activeDeadlineSeconds !== undefined) {
    errors.push(
      forbiddenField(
        'spec.template.spec.activeDeadlineSeconds',
        'activeDeadlineSeconds in ReplicaSet is not Supported',
      ),
    );
  }
  return errors;
}

/** Pods that exist are found by it: it can never change. */
export const validateSelectorUpdate = (
  spec: Templated | undefined,
  old: Templated | undefined,
): FieldError[] =>
  isSameJson(spec?.selector, old?.selector)
    ? []
    : [invalidValue('spec.selector', spec?.selector ?? null, immutable)];
