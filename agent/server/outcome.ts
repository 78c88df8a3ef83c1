/**
 * How a command in a container ended, as the `Status` that clients of exec read their exit code from. Pure.
 * Called by streaming.ts.
 */
import { internalError } from '../../src/api/errors.js';

export interface StreamStatus {
  metadata: Record<string, never>;
  status: 'Success' | 'Failure';
  message?: string | undefined;
  reason?: string | undefined;
  details?: { causes?: { reason?: string; message?: string }[] } | undefined;
  code?: number;
}

/** The exit code travels as a cause, in words: kubectl ends with it itself. */
export function exitStatus(exitCode: number, command: readonly string[]): StreamStatus {
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: error executing command [${command.join(' ')}], exit code ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

/** The command could not be run, or not to its end. */
export function failureStatus(error: unknown): StreamStatus {
  const { message, code } = internalError(error);
  const cause = error instanceof Error ? error.message : String(error);
  const details = { causes: [{ message: cause }] };
  return { metadata: {}, status: 'Failure', message, reason: 'InternalError', details, code };
}
