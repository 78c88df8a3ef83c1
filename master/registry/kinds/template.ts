/**
 * Validation of what all kinds with a pod template have in common: selector, template, replicas. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsLabelErrors } from '../../../src/api/names.js';
import { selectorOf } from '../../../src/api/selectors.js';
import type { KubeObject, LabelSelector, ObjectMeta, PodTemplateSpec } from '../../../src/api/types.js';
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
import { podTemplateWarnings } from './podwarnings.js';
import { validateLabelSelector } from './selector.js';

interface Templated {
  replicas?: number | undefined;
  minReadySeconds?: number | undefined;
  selector?: LabelSelector | undefined;
  template?: PodTemplateSpec | undefined;
}

/** How a kind is called in what is wrong with its selector and its template; ReplicaSets share both with Deployments. */
interface Words {
  selector: string;
  template: string;
}

const replicated: Words = { selector: 'deployment', template: 'ReplicaSet' };

export function validateTemplated(spec: Templated): FieldError[] {
  return [
    ...nonNegative('spec.replicas', spec.replicas),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...validateSelected(spec, replicated),
  ];
}

/** The selector, the template, and that one selects what the other makes. */
export function validateSelected({ selector, template }: Templated, words: Words): FieldError[] {
  const errors = validateSelector(selector, words.selector);
  if (selector && validateLabelSelector('', selector).length > 0)
    return [...errors, invalidValue('spec.selector', selector, 'invalid label selector')];
  if (!template?.spec) return [...errors, required('spec.template.spec.containers')];
  return [
    ...errors,
    ...matchesTemplate(selector, template),
    ...validatePodTemplate('spec.template', template),
    ...validateLongRunning('spec.template', template, words.template),
  ];
}

export function validateSelector(selector: LabelSelector | undefined, word: string): FieldError[] {
  if (!selector) return [required('spec.selector')];
  const errors = validateLabelSelector('spec.selector', selector);
  const isEmpty =
    Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0;
  return isEmpty
    ? [...errors, invalidValue('spec.selector', selector, `empty selector is invalid for ${word}`)]
    : errors;
}

/** A selector that is wrong in itself selects nobody, and has been reported. */
export function matchesTemplate(
  selector: LabelSelector | undefined,
  template: PodTemplateSpec,
): FieldError[] {
  if (selector && validateLabelSelector('', selector).length > 0) return [];
  const { labels } = template.metadata ?? {};
  if (selectorOf(selector).matches(labels)) return [];
  const detail = '`selector` does not match template `labels`';
  return [invalidValue('spec.template.metadata.labels', labels ?? {}, detail)];
}

/** What every template has to satisfy, whoever makes pods of it. */
export function validatePodTemplate(field: string, { metadata, spec }: PodTemplateSpec): FieldError[] {
  const errors = [
    ...validateLabels(metadata?.labels, `${field}.labels`),
    ...validateAnnotations(metadata?.annotations, `${field}.annotations`),
    ...(spec ? validatePodSpec(`${field}.spec`, spec) : []),
  ];
  if (spec?.ephemeralContainers?.length) {
    const detail = 'ephemeral containers not allowed in pod template';
    errors.push(forbiddenField(`${field}.spec.ephemeralContainers`, detail));
  }
  return errors;
}

/** Of pods that are replaced when they end. */
export function validateLongRunning(field: string, { spec }: PodTemplateSpec, kind: string): FieldError[] {
  const errors: FieldError[] = [];
  const policy = spec?.restartPolicy;
  if (policy !== undefined && policy !== 'Always') {
    errors.push(notSupported(`${field}.spec.restartPolicy`, policy, ['Always']));
  }
  if (spec?.activeDeadlineSeconds !== undefined) {
    const detail = `activeDeadlineSeconds in ${kind} is not Supported`;
    errors.push(forbiddenField(`${field}.spec.activeDeadlineSeconds`, detail));
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

/** Of an object whose pods are named after it, on creation; `where` says what of the pods its name is in. */
export function nameWarnings({ name = '' }: ObjectMeta, where = 'Pod names and hostnames'): string[] {
  const problems = dnsLabelErrors(name);
  if (problems.length === 0) return [];
  const advice = 'which can result in surprising behavior; a DNS label is recommended';
  return [`metadata.name: this is used in ${where}, ${advice}: [${problems.join(' ')}]`];
}

interface TemplatedObject extends KubeObject {
  spec?: Templated | undefined;
}

/** On creation, and on an update that changes the spec. */
export function templatedWarnings(object: TemplatedObject, old: TemplatedObject | undefined): string[] {
  if (old && old.metadata.generation === object.metadata.generation) return [];
  const named = old ? [] : nameWarnings(object.metadata);
  return [...named, ...podTemplateWarnings('spec.template', object.spec?.template)];
}
