/**
 * Schedules of CronJobs (`*\/5 * * * 1-5`, `@hourly`, `@every 90s`): the grammar, in the words of Kubernetes. Pure.
 *
 * A schedule is five sets of numbers. Day of month and day of week select together: when both are restricted, either
 * may match. Called by validation; the times themselves are the CronJob controller's.
 */

export interface CronFields {
  minutes: ReadonlySet<number>;
  hours: ReadonlySet<number>;
  daysOfMonth: ReadonlySet<number>;
  months: ReadonlySet<number>;
  daysOfWeek: ReadonlySet<number>;
  /** The field was `*` or `?`: it does not restrict the other field of days. */
  isAnyDayOfMonth: boolean;
  isAnyDayOfWeek: boolean;
}

export type CronSchedule = { kind: 'fields'; fields: CronFields } | { kind: 'every'; seconds: number };

/** The text is no schedule; the message says why. */
export class CronError extends Error {
  override readonly name = 'CronError';
}

interface Range {
  least: number;
  most: number;
  names?: readonly string[];
}

const monthNames = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const dayNames = 'sun mon tue wed thu fri sat'.split(' ');

const minute: Range = { least: 0, most: 59 };
const hour: Range = { least: 0, most: 23 };
const dayOfMonth: Range = { least: 1, most: 31 };
const month: Range = { least: 1, most: 12, names: monthNames };
const dayOfWeek: Range = { least: 0, most: 6, names: dayNames };

const descriptors: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/** Throws `CronError`. A leading `TZ=...` or `CRON_TZ=...` is skipped: whether it may be there is the caller's to say. */
export function parseCron(text: string): CronSchedule {
  if (text === '') throw new CronError('empty spec string');
  const schedule = text.replace(/^(?:CRON_)?TZ=\S*\s*/, '').trim();
  if (schedule.startsWith('@every ')) return { kind: 'every', seconds: parseEvery(schedule) };
  if (schedule.startsWith('@')) {
    const fields = descriptors[schedule];
    if (!fields) throw new CronError(`unrecognized descriptor: ${schedule}`);
    return parseCron(fields);
  }
  const parts = schedule.split(/\s+/).filter((part) => part !== '');
  if (parts.length !== 5)
    throw new CronError(`expected exactly 5 fields, found ${parts.length}: [${parts.join(' ')}]`);
  const [minutes = '', hours = '', days = '', months = '', weekdays = ''] = parts;
  return {
    kind: 'fields',
    fields: {
      minutes: parseField(minutes, minute),
      hours: parseField(hours, hour),
      daysOfMonth: parseField(days, dayOfMonth),
      months: parseField(months, month),
      daysOfWeek: parseField(weekdays, dayOfWeek),
      isAnyDayOfMonth: isAny(days),
      isAnyDayOfWeek: isAny(weekdays),
    },
  };
}

const isAny = (field: string): boolean => field.split(',').some((part) => /^[*?](\/1)?$/.test(part));

function parseField(field: string, range: Range): ReadonlySet<number> {
  const numbers = new Set<number>();
  for (const part of field.split(',').filter((one) => one !== ''))
    for (const number of parseRange(part, range)) numbers.add(number);
  return numbers;
}

/** `*`, `5`, `1-5`, each with `/step`. */
function parseRange(text: string, range: Range): number[] {
  const [span = '', stepText, ...moreSteps] = text.split('/');
  const [first = '', last, ...moreBounds] = span.split('-');
  let [start, end] = [range.least, range.most];
  if (first !== '*' && first !== '?') {
    start = parseNumber(first, range.names);
    if (moreBounds.length > 0) throw new CronError(`too many hyphens: ${text}`);
    // `5/10` goes on to the end.
    if (last !== undefined) end = parseNumber(last, range.names);
    else if (stepText === undefined) end = start;
  }
  if (moreSteps.length > 0) throw new CronError(`too many slashes: ${text}`);
  const step = stepText === undefined ? 1 : parseNumber(stepText, undefined);
  if (start < range.least)
    throw new CronError(`beginning of range (${start}) below minimum (${range.least}): ${text}`);
  if (end > range.most) throw new CronError(`end of range (${end}) above maximum (${range.most}): ${text}`);
  if (start > end) throw new CronError(`beginning of range (${start}) beyond end of range (${end}): ${text}`);
  if (step === 0) throw new CronError(`step of range should be a positive number: ${text}`);
  return Array.from({ length: Math.floor((end - start) / step) + 1 }, (_, index) => start + index * step);
}

function parseNumber(text: string, names: readonly string[] | undefined): number {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return names === monthNames ? named + 1 : named;
  if (!/^[-+]?\d+$/.test(text)) {
    const why = `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
    throw new CronError(`failed to parse int from ${text}: ${why}`);
  }
  const number = Number(text);
  if (number < 0) throw new CronError(`negative number (${number}) not allowed: ${text}`);
  return number;
}

const seconds: Readonly<Record<string, number>> = {
  h: 3600,
  m: 60,
  s: 1,
  ms: 0.001,
  us: 1e-6,
  µs: 1e-6,
  ns: 1e-9,
};
const durationPart = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g;

/** Whole seconds, one at least. */
function parseEvery(schedule: string): number {
  const text = schedule.slice('@every '.length);
  const parts = [...text.matchAll(durationPart)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) {
    throw new CronError(
      `failed to parse duration ${schedule}: time: invalid duration ${JSON.stringify(text)}`,
    );
  }
  const total = parts.reduce((sum, [, number, unit = '']) => sum + Number(number) * (seconds[unit] ?? 0), 0);
  return Math.max(1, Math.floor(total));
}
