/** The columns of Jobs and CronJobs. Pure. */
import { isConditionTrue } from '../../../src/api/meta.js';
import type { CronJob, Job } from '../../../src/api/types.js';
import type { Printer } from '../resource.js';
import { ageColumn, ageOf, createdAge, humanDuration, integer, nameColumn, text } from './age.js';
import { templateCells, templateColumns } from './workload.js';

export const jobPrinter: Printer<Job> = {
  columns: [
    nameColumn,
    text('Status', 'How it ended, or what it is doing.'),
    text('Completions', 'Pods that succeeded, of those that have to.'),
    text('Duration', 'Time it took, or has taken so far.'),
    ageColumn,
    ...templateColumns,
  ],
  cells: (job, now) => [
    job.metadata.name,
    statusText(job),
    completionsText(job),
    durationText(job, now),
    createdAge(job, now),
    ...templateCells(job.spec?.template, job.spec?.selector),
  ],
};

function statusText({ metadata, status }: Job): string {
  const has = (type: string): boolean => isConditionTrue(status?.conditions, type);
  const ended = ['Complete', 'Failed'].find(has);
  if (ended) return ended;
  if (metadata.deletionTimestamp) return 'Terminating';
  return ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find(has) ?? 'Running';
}

function completionsText({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec?.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallelism = spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function durationText({ status }: Job, now: Date): string {
  if (!status?.startTime) return '';
  const end = status.completionTime ? Date.parse(status.completionTime) : now.getTime();
  return humanDuration(end - Date.parse(status.startTime));
}

export const cronJobPrinter: Printer<CronJob> = {
  columns: [
    nameColumn,
    text('Schedule', 'When its jobs start, in the format of cron.'),
    text('Timezone', 'Where the schedule is meant.'),
    { name: 'Suspend', type: 'boolean', description: 'Whether no further jobs start.' },
    integer('Active', 'Jobs that run.'),
    text('Last Schedule', 'Time since a job was started.'),
    ageColumn,
    ...templateColumns,
  ],
  cells: ({ metadata, spec, status }, now) => [
    metadata.name,
    spec?.schedule ?? '',
    spec?.timeZone ?? '<none>',
    spec?.suspend === undefined ? '<unset>' : spec.suspend ? 'True' : 'False',
    status?.active?.length ?? 0,
    status?.lastScheduleTime ? ageOf(status.lastScheduleTime, now) : '<none>',
    createdAge({ metadata }, now),
    ...templateCells(spec?.jobTemplate?.spec?.template, spec?.jobTemplate?.spec?.selector),
  ],
};
