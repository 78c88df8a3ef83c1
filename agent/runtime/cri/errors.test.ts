/** What answers of a CRI runtime mean. */
import t from 'tap';
import { toRuntimeError } from './errors.js';

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
