/**
 * The audit log of the API: opens a record for each request, hands finished events to every sink, and counts. Called by the
 * HTTP layer; without a policy there is none, and requests pay nothing.
 */
import type { IncomingMessage } from 'node:http';
import { type Level, levels, type Sink } from './event.js';
import type { Policy } from './policy.js';
import { AuditRecord, type RecordOptions } from './record.js';

export interface AuditLogOptions {
  policy: Policy;
  sinks: readonly Sink[];
  now(): Date;
  /** Refuse requests that cannot be written down. */
  strict: boolean;
}

/** The record of a request, on its message; a WeakMap would cost every garbage collection. */
const audited = Symbol('audited');

type AuditedMessage = IncomingMessage & { [audited]?: AuditRecord };

export const recordOf = (raw: IncomingMessage): AuditRecord | undefined => (raw as AuditedMessage)[audited];

export class AuditLog {
  readonly #record: RecordOptions;
  readonly #sinks: readonly Sink[];
  readonly #counts = new Map<Level, number>(levels.slice(1).map((level) => [level, 0]));
  readonly #errors: Map<string, number>;
  #rejected = 0;

  constructor({ policy, sinks, now, strict }: AuditLogOptions) {
    this.#sinks = sinks;
    this.#errors = new Map(sinks.map(({ name }) => [name, 0]));
    this.#record = {
      ...{ policy, now, strict },
      emit: (text, level) => this.#take(text, level),
      rejected: () => {
        this.#rejected += 1;
      },
    };
  }

  /** `url` as it was sent; `id` is that of the Audit-Id header. */
  open(raw: IncomingMessage, url: string, id: string): AuditRecord {
    const record = new AuditRecord(this.#record, { raw, url, id });
    (raw as AuditedMessage)[audited] = record;
    return record;
  }

  /** Events that this sink did not keep, beyond those it did not take. */
  lost(sink: string, events: number): void {
    this.#errors.set(sink, (this.#errors.get(sink) ?? 0) + events);
  }

  #take(text: string, level: Level): boolean {
    this.#counts.set(level, (this.#counts.get(level) ?? 0) + 1);
    let isTaken = true;
    for (const sink of this.#sinks) {
      if (sink.take(text)) continue;
      isTaken = false;
      this.lost(sink.name, 1);
    }
    return isTaken;
  }

  /** Prometheus text, under kube-apiserver's names. */
  text(): string {
    const byLevel = [...this.#counts];
    const events = byLevel.reduce((sum, [, count]) => sum + count, 0);
    return [
      ...head(
        'apiserver_audit_event_total',
        'Counter of audit events generated and sent to the audit backend.',
      ),
      `apiserver_audit_event_total ${events}`,
      ...head('apiserver_audit_level_total', 'Counter of policy levels for audit events.'),
      ...byLevel.map(([level, count]) => `apiserver_audit_level_total{level="${level}"} ${count}`),
      ...head('apiserver_audit_error_total', 'Counter of audit events that failed to be audited properly.'),
      ...[...this.#errors].map(
        ([plugin, count]) => `apiserver_audit_error_total{plugin="${plugin}"} ${count}`,
      ),
      ...head(
        'apiserver_audit_requests_rejected_total',
        'Counter of apiserver requests rejected due to an error in audit logging backend.',
      ),
      `apiserver_audit_requests_rejected_total ${this.#rejected}`,
      '',
    ].join('\n');
  }
}

const head = (name: string, help: string): string[] => [`# HELP ${name} ${help}`, `# TYPE ${name} counter`];
