/** What a line of the log says of an error. */
import t from 'tap';
import { ApiError } from '../api/errors.js';
import { createLogger } from './log.js';

interface Line {
  msg: string;
  err: Record<string, unknown>;
}

function logged(error: unknown): Line['err'] {
  const lines: string[] = [];
  const log = createLogger('info', { write: (line) => void lines.push(line) });
  log.child({ component: 'test' }).warn({ err: error }, 'list or watch failed, will retry');
  return (JSON.parse(lines[0] ?? '') as Line).err;
}

t.test('a server that is away is said once, without a stack', async (t) => {
  const cause = new Error('connect ECONNREFUSED 127.0.0.1:6443');
  const error = new ApiError('ServiceUnavailable', 'no answer: connect ECONNREFUSED', undefined, { cause });
  t.same(logged(error), {
    type: 'ApiError',
    reason: 'ServiceUnavailable',
    message: 'no answer: connect ECONNREFUSED',
  });
});

t.test('a mistake of the program comes with its stack and causes', async (t) => {
  const cause = new TypeError('x is not a function');
  for (const error of [
    new Error('sync failed', { cause }),
    new ApiError('InternalError', 'oops', undefined, { cause }),
  ])
    t.match(logged(error)['stack'], /log\.test.*caused by: TypeError: x is not a function/s);
});

t.test('words that a wrapped error repeats are said once', async (t) => {
  const late = new Error('no answer within 10 s');
  const message = (error: Error): unknown => logged(error)['message'];
  t.equal(message(new Error(`Docker: ${late.message}`, { cause: late })), 'Docker: no answer within 10 s');
  t.equal(message(new Error('sync failed', { cause: late })), 'sync failed: no answer within 10 s');
  const round = new Error('round');
  round.cause = new Error('and round', { cause: round });
  t.equal(message(round), 'round: and round');
  t.equal(message(new Error('odd', { cause: 'text' })), 'odd');
});

t.test('what is no error is left as it is', async (t) => {
  t.equal(logged('text'), 'text');
});
