/**
 * 8. The one place that says what an answer of a CRI runtime means: an outcome, or a `RuntimeError` of a kind. Called by
 * all of cri/. Pure.
 *
 * gRPC has codes, but containerd answers most with UNKNOWN and says in words what it means; so words decide first. A
 * runtime that is away or hangs shows as UNAVAILABLE or as our own deadline, both `unavailable`.
 */
import { RuntimeError } from '../runtime.js';

/** Codes of gRPC that matter here. */
export const code = {
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

/** The code of gRPC that an error carries, if any. */
export const codeOf = (error: unknown): number | undefined => {
  const found = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof found === 'number' ? found : undefined;
};

/** The runtime's own words, without gRPC's `2 UNKNOWN: `. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const details = 'details' in error && typeof error.details === 'string' ? error.details : '';
  return details || error.message;
}

/** In the order in which they are tried. */
const words: readonly [RegExp, RuntimeError['kind']][] = [
  [/is reserved for|already exists|is in CONTAINER_\w+ state|is in \w+ state|is not running/i, 'conflict'],
  [/already in (starting|removing) state|cannot (start|stop) a container that has stopped/i, 'conflict'],
  [
    /failed to (resolve|get) image.*not found|failed to pull and unpack image .*not found|manifest unknown/i,
    'imageNotFound',
  ],
  [/pull access denied|repository does not exist|failed to authorize|insufficient_scope/i, 'imageNotFound'],
  [/executable file not found|no such file or directory|permission denied|exec format error/i, 'invalid'],
  [
    /must be specified|is not supported|invalid (argument|capability|value)|no privileged container/i,
    'invalid',
  ],
  [
    /no runtime for .* is configured|unknown capability|unable to find (user|group)|no users found/i,
    'invalid',
  ],
];

const byCode: Readonly<Record<number, RuntimeError['kind']>> = {
  [code.invalidArgument]: 'invalid',
  [code.deadlineExceeded]: 'unavailable',
  [code.notFound]: 'notFound',
  [code.alreadyExists]: 'conflict',
  [code.failedPrecondition]: 'conflict',
  [code.unavailable]: 'unavailable',
};

export function toRuntimeError(error: unknown): RuntimeError {
  if (error instanceof RuntimeError) return error;
  const message = messageOf(error);
  const status = codeOf(error);
  if (isAway(status, message)) {
    return new RuntimeError('unavailable', `container runtime: ${message}`, { cause: error });
  }
  return new RuntimeError(kindOf(status, message), message, { cause: error });
}

/** What the client itself says of a connection that breaks, before a call and under it. */
const broken = /RST_STREAM|ECONNRESET|EPIPE|Failed to start HTTP|Write error/;

/** Whether nobody answered: away, hanging, or the connection broke under the call (which nobody here cancelled). */
function isAway(status: number | undefined, message: string): boolean {
  if (status === code.internal) return broken.test(message);
  return status === code.unavailable || status === code.deadlineExceeded || status === code.cancelled;
}

function kindOf(status: number | undefined, message: string): RuntimeError['kind'] {
  // Its sandbox has ended.
  if (/failed to get sandbox container task/.test(message)) return 'conflict';
  if (status === code.notFound && !/image/i.test(message)) return 'notFound';
  const said = words.find(([pattern]) => pattern.test(message));
  return said?.[1] ?? byCode[status ?? 0] ?? 'failed';
}

/** Whether the runtime says that this is already so: what was asked for can count as done. */
export const isKind = (error: unknown, kind: RuntimeError['kind']): boolean =>
  error instanceof RuntimeError && error.kind === kind;

/** Runs a call for which "not found" is no failure but `undefined`. */
export async function unlessMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isKind(error, 'notFound') || isKind(error, 'imageNotFound')) return undefined;
    throw error;
  }
}

/**
 * Runs a call that ends containers, and once more when a shim ended under it: containerd takes that for a failure, and
 * knows a moment later that the container has exited.
 */
export async function despiteEnd<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof RuntimeError) || !/ttrpc: closed/.test(error.message)) throw error;
    return call();
  }
}

/** The runtime is older than the call. */
export const isUnimplemented = (error: unknown): boolean =>
  error instanceof RuntimeError && codeOf(error.cause) === code.unimplemented;
