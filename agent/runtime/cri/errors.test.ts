/** What answers of a CRI runtime mean. */
import t from 'tap';
import { despiteEnd, toRuntimeError } from './errors.js';

const answer = (code: number, details: string): Error => Object.assign(new Error(details), { code, details });

const table: [code: number, details: string, kind: string][] = [
  [14, 'No connection established', 'unavailable'],
  [4, 'Deadline exceeded', 'unavailable'],
  [1, 'Call cancelled', 'unavailable'],
  [13, 'Received RST_STREAM with code 2 triggered by internal client error: read ECONNRESET', 'unavailable'],
  [13, 'Failed to start HTTP/2 stream with error The session has been destroyed', 'unavailable'],
  [13, 'failed to marshal', 'failed'],
  [5, 'an error occurred when try to find container "x": not found', 'notFound'],
  [2, 'failed to pull and unpack image "x": x: not found', 'imageNotFound'],
  [2, 'failed to exec in container: OCI runtime: executable file not found in $PATH', 'invalid'],
  [2, 'name "x" is reserved for "y"', 'conflict'],
];

t.test('kinds', async (t) => {
  for (const [code, details, kind] of table)
    t.equal(toRuntimeError(answer(code, details)).kind, kind, `${code} ${details}`);
});

t.test('a container that ends while it is stopped is asked for once more', async (t) => {
  const gone = toRuntimeError(answer(2, 'failed to kill container "x": ttrpc: closed: unknown'));
  const answers =
    (...errors: (Error | undefined)[]) =>
    async (): Promise<string> => {
      const error = errors.shift();
      if (error) throw error;
      return 'stopped';
    };
  t.equal(await despiteEnd(answers(gone, undefined)), 'stopped');
  await t.rejects(despiteEnd(answers(gone, gone)), gone);
  const other = toRuntimeError(answer(2, 'no space left on device'));
  await t.rejects(despiteEnd(answers(other, undefined)), other);
});
