/**
 * 5. Contract: what a controller is. Queues carry keys, never events; `reconcile` reads the present from caches.
 */
import type { Logger } from '../host/log.js';

export interface ReconcileContext {
  /** Aborts when the controller stops. */
  signal: AbortSignal;
  /** Carries controller, key and reconcileId. */
  log: Logger;
}

export type ReconcileResult = undefined | { requeueAfterMs: number };

export interface Reconciler {
  /**
   * Makes the world match what the object under `key` asks for. Returning is success; `requeueAfterMs` asks to be
   * called again then; a throw is retried with backoff; a thrown `TerminalError` is reported and waits for a change.
   */
  reconcile(key: string, context: ReconcileContext): Promise<ReconcileResult>;
}

/**
 * A failure that was told already to those whom it concerns, in an event or a status: it is retried as any other, and is
 * worth one line of the log, not a stack for every try.
 */
export class ReportedError extends Error {
  override readonly name = 'ReportedError';
}

/** Retrying cannot help: report it and wait until the object changes. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}
