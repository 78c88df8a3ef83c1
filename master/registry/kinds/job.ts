/**
 * The strategy of Jobs: the selector that is made for them, and what of them may change. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { isConditionTrue } from '../../../src/api/meta.js';
import { dnsLabelErrors } from '../../../src/api/names.js';
import { selectorOf } from '../../../src/api/selectors.js';
import type { Job, JobSpec, ObjectMeta, PodTemplateSpec } from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import type { Strategy } from '../strategy.js';
import { immutable, invalidValue, required } from '../validation/field.js';
import { validateJobSpec } from './jobspec.js';
import { validateJobStatus } from './jobstatus.js';
import { podTemplateWarnings } from './podwarnings.js';
import { validateLabelSelector } from './selector.js';
import { matchesTemplate, nameWarnings } from './template.js';

const controllerUid = 'batch.kubernetes.io/controller-uid';

/** The labels the pods of a Job carry, those of old included. */
const generatedLabels = ({ name = '', uid = '' }: ObjectMeta): Record<string, string> => ({
  'batch.kubernetes.io/controller-uid': uid,
  'batch.kubernetes.io/job-name': name,
  'controller-uid': uid,
  'job-name': name,
});

export const jobStrategy: Strategy<Job> = {
  orphansByDefault: true,
  prepareForCreate: (_context, job) => withLabels({ ...job, spec: withSelector(job), status: {} }),
  prepareForUpdate: (_context, job, old) => ({ ...job, status: old.status }),
  validate: (job) => {
    if (!job.spec) return [required('spec.template.spec.containers')];
    return [
      ...validateGenerated(job, job.spec),
      ...validateJobSpec('spec', job.spec),
      ...(job.spec.selector
        ? validateLabelSelector('spec.selector', job.spec.selector)
        : [required('spec.selector')]),
      ...matchesTemplate(job.spec.selector, job.spec.template),
      ...validateHostname(job.metadata, job.spec),
    ];
  },
  validateUpdate: (job, old) => (job.spec && old.spec ? validateUpdate(job.spec, old) : []),
  validateStatusUpdate: validateJobStatus,
  warnings: (job, old) => {
    if (old && old.metadata.generation === job.metadata.generation) return [];
    return [...(old ? [] : nameWarnings(job.metadata)), ...jobSpecWarnings('spec', job.spec)];
  },
  fields: ({ status }) => ({ 'status.successful': String(status?.succeeded ?? 0) }),
};

/** Labels and selector by which nobody else's pods are taken for the Job's; not for who brings an own selector. */
function withSelector({ metadata, spec }: Job): JobSpec | undefined {
  if (!spec || spec.manualSelector) return spec;
  const generated = generatedLabels(metadata);
  const { selector, template } = spec;
  const labels = { ...generated, ...template.metadata?.labels };
  const matchLabels = { [controllerUid]: generated[controllerUid] ?? '', ...selector?.matchLabels };
  return {
    ...spec,
    selector: { ...selector, matchLabels },
    template: { ...template, metadata: { ...template.metadata, labels } },
  };
}

/** A Job without labels of its own has those of its pods, as it would have when Kubernetes reads it back. */
function withLabels(job: Job): Job {
  const labels = job.spec?.template.metadata?.labels;
  if (!labels || Object.keys(job.metadata.labels ?? {}).length > 0) return job;
  return { ...job, metadata: { ...job.metadata, labels } };
}

/** What was given may stand in the way of what would have been generated. */
function validateGenerated({ metadata }: Job, spec: JobSpec): FieldError[] {
  if (spec.manualSelector || !spec.selector) return [];
  const given = spec.template.metadata?.labels ?? {};
  const generated = generatedLabels(metadata);
  const order = ['controller-uid', 'job-name', controllerUid, 'batch.kubernetes.io/job-name'];
  const errors = order.flatMap((key) => {
    const [value, wanted = ''] = [given[key], generated[key]];
    const path = `spec.template.metadata.labels[${key}]`;
    if (value === undefined) return [required(path, `must be '${wanted}'`)];
    return value === wanted ? [] : [invalidValue(path, given, `must be '${wanted}'`)];
  });
  const isValid = validateLabelSelector('', spec.selector).length === 0;
  if (isValid && !selectorOf(spec.selector).matches(generated))
    errors.push(invalidValue('spec.selector', spec.selector, '`selector` not auto-generated'));
  return errors;
}

/** The pods of an indexed Job are called after it and their index. */
function validateHostname(
  { name = '' }: ObjectMeta,
  { completionMode, completions = 0 }: JobSpec,
): FieldError[] {
  const longest = `${name}-${completions - 1}`;
  if (completionMode !== 'Indexed' || completions <= 0 || dnsLabelErrors(longest).length === 0) return [];
  const detail = `will not able to create pod with invalid DNS label: ${longest}`;
  return [invalidValue('metadata.name', name, detail)];
}

const fixed = [
  'completionMode',
  'podFailurePolicy',
  'backoffLimitPerIndex',
  'managedBy',
  'successPolicy',
] as const;

function validateUpdate(spec: JobSpec, old: Job): FieldError[] {
  const before = old.spec ?? ({} as JobSpec);
  const changed = (name: keyof JobSpec, value: unknown): FieldError[] =>
    isSameJson(spec[name], value) ? [] : [invalidValue(`spec.${name}`, spec[name] ?? null, immutable)];
  const template = mayMove(old) ? withPlacementOf(spec.template, before.template) : before.template;
  return [
    ...validateCompletions(spec, before),
    ...changed('selector', before.selector),
    ...changed('template', template),
    ...fixed.flatMap((name) => changed(name, before[name])),
  ];
}

/** An indexed Job grows and shrinks; completions and parallelism only together. */
function validateCompletions(spec: JobSpec, before: JobSpec): FieldError[] {
  const { completions, parallelism, completionMode } = spec;
  if (completions === before.completions) return [];
  if (completionMode !== 'Indexed') return [invalidValue('spec.completions', completions ?? null, immutable)];
  if (completions === undefined || completions === parallelism) return [];
  const detail = 'can only be modified in tandem with spec.parallelism';
  return [invalidValue('spec.completions', completions, detail)];
}

/** While it is suspended and nothing of it runs, queues may say where it will. */
function mayMove({ spec, status }: Job): boolean {
  if (spec?.suspend !== true) return false;
  const hasStopped = isConditionTrue(status?.conditions, 'Suspended') && (status?.active ?? 0) === 0;
  return status?.startTime === undefined || hasStopped;
}

/** The old template with everything of the new one that says where its pods may run. */
function withPlacementOf(template: PodTemplateSpec, old: PodTemplateSpec): PodTemplateSpec {
  if (!template.spec || !old.spec) return old;
  const { nodeAffinity } = template.spec.affinity ?? {};
  const { nodeAffinity: _old, ...others } = old.spec.affinity ?? {};
  const affinity = { ...others, ...(nodeAffinity && { nodeAffinity }) };
  const hasAffinity = template.spec.affinity !== undefined || Object.keys(affinity).length > 0;
  const { nodeSelector, tolerations, schedulingGates } = template.spec;
  return {
    ...old,
    metadata: {
      ...old.metadata,
      labels: template.metadata?.labels,
      annotations: template.metadata?.annotations,
    },
    spec: {
      ...old.spec,
      affinity: hasAffinity ? affinity : undefined,
      nodeSelector,
      tolerations,
      schedulingGates,
    },
  };
}

const manyCompletions = 100_000;
const manyParallel = 10_000;

/** Of the template of a CronJob too. */
export function jobSpecWarnings(field: string, spec: JobSpec | undefined): string[] {
  if (!spec) return [];
  const { completionMode, completions = 0, parallelism = 0 } = spec;
  const isHuge = completionMode === 'Indexed' && completions > manyCompletions && parallelism > manyParallel;
  const detail =
    'In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, ' +
    'Kubernetes might not be able to track completedIndexes when a big number of indexes fail';
  return [
    ...(isHuge ? [`${field}: ${detail}`] : []),
    ...podTemplateWarnings(`${field}.template`, spec.template),
  ];
}
