/** Validation of what a Job's status says: a finished Job has come to rest, and stays as it is. Pure. */
import { type FieldError, omitted } from '../../../src/api/errors.js';
import { isConditionTrue } from '../../../src/api/meta.js';
import type { Job, JobStatus } from '../../../src/api/types.js';
import { duplicate, invalidValue, nonNegative, required } from '../validation/field.js';
import { overlapOf } from './jobindexes.js';
import { checkIndexes } from './jobpolicy.js';

const counts = ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const;

const ends = ['Failed', 'Complete', 'FailureTarget', 'SuccessCriteriaMet'] as const;

type End = (typeof ends)[number];

const endsOf = ({ status }: Job): ReadonlySet<End> =>
  new Set(ends.filter((type) => isConditionTrue(status?.conditions, type)));

export function validateJobStatus(job: Job, old: Job): FieldError[] {
  const status = job.status ?? {};
  const reached = endsOf(job);
  return [
    ...counts.flatMap((name) => nonNegative(`status.${name}`, status[name])),
    ...validateUncounted(status),
    ...validateConditions(job, reached),
    ...validateTimes(status, reached),
    ...(reached.has('Complete') || reached.has('Failed') ? validateFinished(status) : []),
    ...validateIndexes(job),
    ...(status.ready !== undefined && status.ready > (status.active ?? 0)
      ? [invalidValue('status.ready', status.ready, 'cannot set more ready pods than active')]
      : []),
    ...validateChange(job, old, reached),
  ];
}

function validateUncounted({ uncountedTerminatedPods: uncounted }: JobStatus): FieldError[] {
  const seen = new Set<string>();
  return (['succeeded', 'failed'] as const).flatMap((list) =>
    (uncounted?.[list] ?? []).flatMap((uid, index) => {
      const path = `status.uncountedTerminatedPods.${list}[${index}]`;
      if (uid === '') return [invalidValue(path, uid, 'must not be empty')];
      if (seen.has(uid)) return [duplicate(path, uid)];
      seen.add(uid);
      return [];
    }),
  );
}

const conditions = (detail: string): FieldError => invalidValue('status.conditions', omitted, detail);

function validateConditions({ spec }: Job, reached: ReadonlySet<End>): FieldError[] {
  const errors: FieldError[] = [];
  const both = (one: End, other: End, detail: string): void => {
    if (reached.has(one) && reached.has(other)) errors.push(conditions(detail));
  };
  both('Complete', 'Failed', 'cannot set Complete=True and Failed=true conditions');
  both('Complete', 'FailureTarget', 'cannot set Complete=True and FailureTarget=true conditions');
  if (reached.has('Failed') && !reached.has('FailureTarget'))
    errors.push(conditions('cannot set Failed=True condition without the FailureTarget=true condition'));
  if (reached.has('Complete') && !reached.has('SuccessCriteriaMet')) {
    errors.push(
      conditions('cannot set Complete=True condition without the SuccessCriteriaMet=true condition'),
    );
    if (spec?.successPolicy) {
      const detail = 'cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True';
      errors.push(conditions(detail));
    }
  }
  both('SuccessCriteriaMet', 'Failed', 'cannot set SuccessCriteriaMet=True and Failed=true conditions');
  both(
    'SuccessCriteriaMet',
    'FailureTarget',
    'cannot set SuccessCriteriaMet=True and FailureTarget=true conditions',
  );
  return errors;
}

function validateTimes({ startTime, completionTime }: JobStatus, reached: ReadonlySet<End>): FieldError[] {
  const at = 'status.completionTime';
  if (completionTime === undefined)
    return reached.has('Complete') ? [required(at, 'completionTime is required for Complete jobs')] : [];
  const errors: FieldError[] = [];
  if (!reached.has('Complete')) {
    const detail = 'cannot set completionTime when there is no Complete=True condition';
    errors.push(invalidValue(at, completionTime, detail));
  }
  if (startTime !== undefined && Date.parse(completionTime) < Date.parse(startTime))
    errors.push(invalidValue(at, completionTime, 'completionTime cannot be set before startTime'));
  return errors;
}

function validateFinished(status: JobStatus): FieldError[] {
  const { active = 0, terminating = 0, startTime, uncountedTerminatedPods: uncounted } = status;
  const errors: FieldError[] = [];
  if (active > 0) errors.push(invalidValue('status.active', active, 'active>0 is invalid for finished job'));
  if (startTime === undefined)
    errors.push(required('status.startTime', 'startTime is required for finished job'));
  if ((uncounted?.succeeded ?? []).length + (uncounted?.failed ?? []).length > 0) {
    const detail = 'uncountedTerminatedPods needs to be empty for finished job';
    errors.push(invalidValue('status.uncountedTerminatedPods', uncounted, detail));
  }
  if (terminating > 0)
    errors.push(invalidValue('status.terminating', terminating, 'terminating>0 is invalid for finished job'));
  return errors;
}

function validateIndexes({ spec, status }: Job): FieldError[] {
  const { completedIndexes = '', failedIndexes } = status ?? {};
  const errors: FieldError[] = [];
  const done = 'status.completedIndexes';
  if (completedIndexes !== '' && spec?.completionMode !== 'Indexed') {
    const detail = 'cannot set non-empty completedIndexes when non-indexed completion mode';
    errors.push(invalidValue(done, completedIndexes, detail));
  }
  if (spec?.backoffLimitPerIndex === undefined && failedIndexes !== undefined) {
    const detail = 'cannot set non-null failedIndexes when backoffLimitPerIndex is null';
    errors.push(invalidValue('status.failedIndexes', failedIndexes, detail));
  }
  if (spec?.completions === undefined) return errors;
  const completed = checkIndexes(done, completedIndexes, spec.completions);
  const failed = checkIndexes('status.failedIndexes', failedIndexes ?? '', spec.completions);
  errors.push(...completed.errors, ...failed.errors);
  const index = overlapOf(completed.intervals, failed.intervals);
  if (index !== undefined) {
    const detail = `failedIndexes and completedIndexes overlap at index: ${index}`;
    errors.push(invalidValue('status.failedIndexes', failedIndexes, detail));
  }
  return errors;
}

/** What has ended stays ended, and what was counted is not forgotten. */
function validateChange(job: Job, old: Job, reached: ReadonlySet<End>): FieldError[] {
  const status = job.status ?? {};
  const before = old.status ?? {};
  const errors: FieldError[] = [];
  for (const type of endsOf(old)) {
    if (reached.has(type)) continue;
    const what = type === 'SuccessCriteriaMet' ? 'the' : 'the terminal';
    errors.push(conditions(`cannot disable ${what} ${type}=True condition`));
  }
  for (const name of ['failed', 'succeeded'] as const) {
    const count = status[name] ?? 0;
    if (count < (before[name] ?? 0))
      errors.push(invalidValue(`status.${name}`, count, `cannot decrease the ${name} counter`));
  }
  if (
    status.completionTime !== undefined &&
    before.completionTime !== undefined &&
    status.completionTime !== before.completionTime
  )
    errors.push(
      invalidValue('status.completionTime', status.completionTime, 'completionTime cannot be mutated'),
    );
  if (before.startTime !== undefined && before.startTime !== status.startTime && job.spec?.suspend !== true)
    errors.push(required('status.startTime', 'startTime cannot be removed for unsuspended job'));
  return errors;
}
