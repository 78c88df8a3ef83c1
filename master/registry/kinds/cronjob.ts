/** The strategy of CronJobs: schedule, time zone, and the Job they make. Pure. */
import { CronError, parseCron } from '../../../src/api/cron.js';
import type { FieldError } from '../../../src/api/errors.js';
import type { CronJob, CronJobSpec } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { invalidValue, nonNegative, notSupported, oneOf, required } from '../validation/field.js';
import { jobSpecWarnings } from './job.js';
import { validateJobSpec } from './jobspec.js';
import { nameWarnings } from './template.js';

/** A Job is called after its CronJob and the minute it was due: eleven characters more, of 63. */
const maxName = 52;

export const cronJobStrategy: Strategy<CronJob> = {
  prepareForCreate: (_context, cronJob) => ({ ...cronJob, status: {} }),
  prepareForUpdate: (_context, cronJob, old) => ({ ...cronJob, status: old.status }),
  validate: ({ spec }) => (spec ? validateSpec(spec) : [required('spec.schedule')]),
  validateCreate: ({ metadata: { name = '' }, spec }) => [
    ...(spec ? validateZone(spec, undefined) : []),
    ...(name.length > maxName
      ? [invalidValue('metadata.name', name, `must be no more than ${maxName} characters`)]
      : []),
  ],
  validateUpdate: ({ spec }, old) => (spec ? validateZone(spec, old.spec) : []),
  warnings: ({ metadata, spec }, old) => {
    if (old && old.metadata.generation === metadata.generation) return [];
    const named = old ? [] : nameWarnings(metadata);
    const zone = spec?.schedule?.includes('TZ')
      ? ['cannot use TZ or CRON_TZ in spec.schedule, use timeZone field instead']
      : [];
    return [...named, ...zone, ...jobSpecWarnings('spec.jobTemplate.spec', spec?.jobTemplate.spec)];
  },
};

function validateSpec(spec: CronJobSpec): FieldError[] {
  const { schedule, jobTemplate } = spec;
  const job = jobTemplate?.spec;
  const at = 'spec.jobTemplate.spec';
  const errors = [
    ...(schedule ? validateSchedule(schedule) : [required('spec.schedule')]),
    ...nonNegative('spec.startingDeadlineSeconds', spec.startingDeadlineSeconds),
    ...oneOf('spec.concurrencyPolicy', spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']),
    ...(job ? validateJobSpec(at, job) : []),
    ...nonNegative('spec.successfulJobsHistoryLimit', spec.successfulJobsHistoryLimit),
    ...nonNegative('spec.failedJobsHistoryLimit', spec.failedJobsHistoryLimit),
  ];
  if (job?.selector)
    errors.push(invalidValue(`${at}.selector`, job.selector, '`selector` will be auto-generated'));
  if (job?.manualSelector) errors.push(notSupported(`${at}.manualSelector`, true, ['nil', 'false']));
  return errors;
}

function validateSchedule(schedule: string): FieldError[] {
  try {
    parseCron(schedule);
    return [];
  } catch (error) {
    if (!(error instanceof CronError)) throw error;
    return [invalidValue('spec.schedule', schedule, error.message)];
  }
}

/** Who has a time zone in the schedule from old times may keep it; nobody may begin with it. */
function validateZone({ schedule = '', timeZone }: CronJobSpec, old: CronJobSpec | undefined): FieldError[] {
  const errors = timeZone === old?.timeZone && old ? [] : validateTimeZone(timeZone);
  if (!schedule.includes('TZ')) return errors;
  const isOld = old?.schedule?.includes('TZ') ?? false;
  if (isOld && timeZone === undefined) return errors;
  const detail = isOld
    ? 'cannot use both timeZone field and TZ or CRON_TZ in schedule'
    : 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
  return [invalidValue('spec.schedule', schedule, detail), ...errors];
}

function validateTimeZone(zone: string | undefined): FieldError[] {
  const at = 'spec.timeZone';
  if (zone === undefined) return [];
  if (zone === '') return [invalidValue(at, zone, 'timeZone must be nil or non-empty string')];
  const isWellFormed = zone
    .split('/')
    .every((part) => /^[A-Za-z._0-9+][A-Za-z.\-_0-9+]{0,13}$/.test(part) && part !== '.' && part !== '..');
  if (!isWellFormed) return [invalidValue(at, zone, `unknown time zone ${zone}`)];
  if (zone.toLowerCase() === 'local') {
    const detail = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones';
    return [invalidValue(at, zone, detail)];
  }
  return isKnownZone(zone) ? [] : [invalidValue(at, zone, `unknown time zone ${zone}`)];
}

function isKnownZone(timeZone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
