/**
 * 8. The one place that says what an answer of Docker means: an outcome, or a `RuntimeError` of a kind.
 * Called by all docker-*.ts. Pure.
 *
 * Docker answers with HTTP codes (dockerode puts them in `statusCode`); a daemon that is away or hangs shows as a
 * system error of the socket or as our own deadline, both `unavailable`.
 */
import { RuntimeError } from './runtime.js';

/** Our deadline passed: Docker took the request and says nothing. */
export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded';
}

const connectionCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EACCES',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTSOCK',
  'ECONNABORTED',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

const propertyOf = (error: unknown, name: string): unknown =>
  error instanceof Error && name in error ? Reflect.get(error, name) : undefined;

/** The HTTP code Docker answered with, if it answered. */
export const statusOf = (error: unknown): number | undefined => {
  const status = propertyOf(error, 'statusCode');
  return typeof status === 'number' ? status : undefined;
};

/** Docker's own words, without what dockerode puts around them. */
function messageOf(error: unknown): string {
  const json = propertyOf(error, 'json');
  if (typeof json === 'object' && json !== null && 'message' in json) return String(json.message).trim();
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/^\(HTTP code \d+\) .*? - /s, '').trim();
}

/** Whether the registry, or the local store, has no such image (or does not show it to us). */
const imageIsMissing = (message: string): boolean =>
  /no such image|pull access denied|manifest unknown|manifest for .* not found|repository .*not found|not found: does not exist/i.test(
    message,
  );

export function toRuntimeError(error: unknown): RuntimeError {
  if (error instanceof RuntimeError) return error;
  const message = messageOf(error);
  const options = { cause: error };
  const status = statusOf(error);
  if (status === undefined) {
    const isConnection =
      error instanceof DeadlineExceeded ||
      connectionCodes.has(String(propertyOf(error, 'code'))) ||
      /socket hang up|^aborted$/.test(message);
    return new RuntimeError(isConnection ? 'unavailable' : 'failed', `Docker: ${message}`, options);
  }
  return new RuntimeError(kindOf(status, message), message, options);
}

function kindOf(status: number, message: string): RuntimeError['kind'] {
  if (imageIsMissing(message)) return 'imageNotFound';
  if (status === 404)
    return /executable file not found|no such file or directory/i.test(message) ? 'invalid' : 'notFound';
  if (status === 409) return 'conflict';
  if (status === 400) return 'invalid';
  if (status === 503) return 'unavailable';
  return 'failed';
}

/** Runs a call whose listed answers are no failure (304 not modified, 404 not there) but `undefined`. */
export async function unless<T>(statuses: readonly number[], call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (statuses.includes(statusOf(error) ?? 0)) return undefined;
    throw error;
  }
}
