/**
 * Defaults of Jobs and CronJobs, as documented for batch/v1. Pure; every function changes its argument.
 */
import type { CronJob, CronJobSpec, Job, JobSpec } from '../types.js';
import { defaultPodTemplate } from './pod.js';

const MAX_INT32 = 2 ** 31 - 1;
const RETRIES = 6;

export function defaultJob(job: Job): void {
  job.spec ??= {} as JobSpec;
  const { spec } = job;
  if (spec.parallelism === undefined) spec.completions ??= 1;
  spec.parallelism ??= 1;
  // What is counted per index is not counted twice.
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? RETRIES : MAX_INT32;
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.manualSelector ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed';
  defaultJobParts(spec);
  const { labels } = spec.template.metadata ?? {};
  if (labels && Object.keys(job.metadata.labels ?? {}).length === 0) job.metadata.labels = { ...labels };
}

/** What is defaulted in the template of a CronJob too; the rest is left to the jobs it makes. */
function defaultJobParts(spec: JobSpec): void {
  for (const rule of spec.podFailurePolicy?.rules ?? [])
    for (const pattern of rule.onPodConditions ?? []) pattern.status ||= 'True';
  spec.template ??= {};
  defaultPodTemplate(spec.template);
}

export function defaultCronJob(cronJob: CronJob): void {
  cronJob.spec ??= {} as CronJobSpec;
  const { spec } = cronJob;
  spec.concurrencyPolicy ||= 'Allow';
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
  spec.jobTemplate ??= {};
  spec.jobTemplate.metadata ??= {};
  spec.jobTemplate.spec ??= {} as JobSpec;
  defaultJobParts(spec.jobTemplate.spec);
}
