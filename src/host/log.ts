/**
 * Contract: one logger for the whole program. A log line is a fixed English message plus fields, never a sentence
 * put together from values; secrets never go into fields. Pure code does not log.
 *
 * `log.info({ pod: 'default/web' }, 'pod started')`. Components take a child: `log.child({ component: 'scheduler' })`.
 */
import { type DestinationStream, pino } from 'pino';
import { ApiError } from '../api/errors.js';

/** The part of pino that we use; fastify accepts the same object. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/**
 * What the API refused, or that it could not be reached, is no mistake of this program: a stack would tell nothing, and
 * while a master is away there are many of these. Every other error comes with its stack and causes.
 */
function describeError(error: Error): object {
  if (!(error instanceof ApiError) || error.reason === 'InternalError')
    return Object.assign(pino.stdSerializers.err(error), { message: wordsOf(error) });
  return { type: error.name, reason: error.reason, message: error.message };
}

/** With those of its causes; who wraps an error often repeats its words, which are said once. */
function wordsOf(error: Error): string {
  const words: string[] = [];
  const seen = new Set<unknown>();
  for (let next: unknown = error; next instanceof Error && !seen.has(next); next = next.cause) {
    const { message } = next;
    if (!words.some((said) => said.includes(message))) words.push(message);
    seen.add(next);
  }
  return words.join(': ');
}

/** Writes JSON lines to stderr, which journald or the supervisor keeps. */
export function createLogger(
  level: LogLevel,
  destination: DestinationStream = pino.destination({ dest: 2, sync: true }),
): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
    },
    destination,
  );
}

/** For tests and tools that have nothing to say. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
