/**
 * 1. One request on its way through the server: who asks for what, and the `RequestContext` the registry sees.
 *
 * The abort signal exists only when somebody looks at it, because most requests are over before anyone would.
 */
import type { DeleteOptions } from '../../src/client/client.js';
import type { AuditRecord } from '../audit/record.js';
import type { RequestContext, User } from '../registry/registry.js';
import type { WriteParameters } from './options.js';
import { isTrue, type RequestInfo } from './request.js';

/** What tells that the client is gone: the response, or the socket of an upgraded connection. */
export interface Connection {
  readonly destroyed: boolean;
  once(event: 'close', listener: () => void): unknown;
}

/** Total characters of warnings sent; kube-apiserver stops there too. */
const maxWarningChars = 4096;

export class RequestScope implements RequestContext {
  readonly info: RequestInfo;
  readonly user: User;
  dryRun = false;
  fieldValidation: RequestContext['fieldValidation'] = 'Warn';
  fieldManager: string;
  readonly ownsBody = true;
  readonly mayCreate: (() => Promise<unknown>) | undefined;
  /** Absent without an audit log. */
  readonly record: AuditRecord | undefined;
  readonly #connection: Connection;
  readonly #warnings: string[] = [];
  #controller: AbortController | undefined;

  constructor(options: {
    info: RequestInfo;
    user: User;
    connection: Connection;
    userAgent: string | undefined;
    mayCreate?: (() => Promise<unknown>) | undefined;
    record?: AuditRecord | undefined;
  }) {
    this.info = options.info;
    this.user = options.user;
    this.#connection = options.connection;
    this.fieldManager = managerOf(options.userAgent);
    this.mayCreate = options.mayCreate;
    this.record = options.record;
  }

  /** Of a deletion, once they are read. */
  deletion: DeleteOptions | undefined;

  /** CreateOptions and its like as sent, for admission; made when somebody looks. */
  get options(): Readonly<Record<string, unknown>> {
    const { verb, query } = this.info;
    const dryRun = this.dryRun ? { dryRun: ['All'] } : {};
    if (this.deletion) {
      const { dryRun: _dryRun, signal: _signal, ...given } = this.deletion;
      return { ...given, ...dryRun };
    }
    const given = ['fieldManager', 'fieldValidation'].flatMap((name) => {
      const value = query.get(name);
      return value ? [[name, value] as const] : [];
    });
    return {
      ...(verb === 'patch' && { kind: 'PatchOptions', ...(isTrue(query, 'force') && { force: true }) }),
      ...Object.fromEntries(given),
      ...dryRun,
    };
  }

  /** Aborts when the connection closes before the answer was complete. */
  get signal(): AbortSignal {
    return this.#abortController().signal;
  }

  /** Ends what the request still does, such as a watch when the server stops. */
  abort(): void {
    this.#abortController().abort();
  }

  apply(parameters: WriteParameters): void {
    this.dryRun = parameters.dryRun;
    this.fieldValidation = parameters.fieldValidation;
    if (parameters.fieldManager) this.fieldManager = parameters.fieldManager;
  }

  warn(message: string): void {
    const used = this.#warnings.reduce((sum, warning) => sum + warning.length, 0);
    if (used + message.length <= maxWarningChars && !this.#warnings.includes(message))
      this.#warnings.push(message);
  }

  annotate(key: string, value: string): void {
    this.record?.annotate(key, value);
  }

  /** Values of the `Warning` header, one per warning. */
  warningHeaders(): string[] {
    return this.#warnings.map((warning) => `299 - "${headerText(warning)}"`);
  }

  #abortController(): AbortController {
    if (!this.#controller) {
      const controller = new AbortController();
      this.#controller = controller;
      if (this.#connection.destroyed) controller.abort();
      else this.#connection.once('close', () => controller.abort());
    }
    return this.#controller;
  }
}

/** Without `fieldManager` the first word of the user agent owns the fields, as in kube-apiserver. */
const managerOf = (userAgent: string | undefined): string => (userAgent ?? '').split('/', 1)[0] || 'unknown';

/** Quoted-string text; UTF-8 travels as bytes, which node writes from Latin-1. */
const headerText = (text: string): string =>
  Buffer.from(text.replace(/\p{Cc}+/gu, ' ').replace(/["\\]/g, '\\$&'), 'utf8').toString('latin1');
