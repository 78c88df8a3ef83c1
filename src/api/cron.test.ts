import t from 'tap';
import { type CronFields, parseCron } from './cron.js';

const fieldsOf = (text: string): CronFields => {
  const schedule = parseCron(text);
  if (schedule.kind !== 'fields') throw new Error(`${text} has no fields`);
  return schedule.fields;
};
const numbers = (set: ReadonlySet<number>): number[] => [...set];

t.test('schedules', async (t) => {
  const { minutes, hours, months, daysOfWeek, isAnyDayOfMonth, isAnyDayOfWeek } = fieldsOf(
    '*/20 9-17/4 * jan,Mar MON-fri',
  );
  t.same(numbers(minutes), [0, 20, 40]);
  t.same(numbers(hours), [9, 13, 17]);
  t.same(numbers(months), [1, 3]);
  t.same(numbers(daysOfWeek), [1, 2, 3, 4, 5]);
  t.same([isAnyDayOfMonth, isAnyDayOfWeek], [true, false]);
  t.same(numbers(fieldsOf('50/5 * * * *').minutes), [50, 55], 'a step without an end goes to the end');
  t.same(numbers(fieldsOf('@daily').hours), [0]);
  t.same(numbers(fieldsOf('TZ=Europe/Berlin 7 * * * *').minutes), [7]);
  t.same(parseCron('@every 1h30m'), { kind: 'every', seconds: 5400 });
  t.same(parseCron('@every 10ms'), { kind: 'every', seconds: 1 });
});

t.test('what is no schedule', async (t) => {
  const cases: [string, string][] = [
    ['', 'empty spec string'],
    ['* * * *', 'expected exactly 5 fields, found 4: [* * * *]'],
    ['60 * * * *', 'end of range (60) above maximum (59): 60'],
    ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['5-3 * * * *', 'beginning of range (5) beyond end of range (3): 5-3'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['1-2-3 * * * *', 'too many hyphens: 1-2-3'],
    ['*/2/3 * * * *', 'too many slashes: */2/3'],
    ['a * * * *', 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
    ['@soon', 'unrecognized descriptor: @soon'],
    ['@every soon', 'failed to parse duration @every soon: time: invalid duration "soon"'],
  ];
  for (const [text, message] of cases) t.throws(() => parseCron(text), { name: 'CronError', message }, text);
});
