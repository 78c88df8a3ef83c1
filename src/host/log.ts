/**
 * Contract: one logger for the whole program. A log line is a fixed English message plus fields, never a sentence
 * put together from values; secrets never go into fields. Pure code does not log.
 *
 * `log.info({ pod: 'default/web' }, 'pod started')`. Components take a child: `log.child({ component: 'scheduler' })`.
 */
import { pino } from 'pino';

/** The part of pino that we use; fastify accepts the same object. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Logger;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Writes JSON lines to stderr, which journald or the supervisor keeps. `err` fields print stack and causes. */
export function createLogger(level: LogLevel): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ dest: 2, sync: true }),
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
