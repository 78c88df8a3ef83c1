/**
 * One request on its way into the audit log. Opened when it arrives, told what becomes known, ended with its answer:
 *
 *   open -> authenticated (the policy decides) -> RequestReceived -> [ResponseStarted] -> ResponseComplete or Panic
 *
 * Who is not recognised is written down once, with the 401. What takes long by nature (watches, logs, streams, proxies)
 * has a ResponseStarted. Of requests that the policy does not want, nothing is kept and nothing made.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { parse } from 'yaml';
import { ApiError, type Status } from '../../src/api/errors.js';
import { toMicroTime } from '../../src/host/clock.js';
import type { RequestInfo } from '../http/request.js';
import type { User } from '../registry/registry.js';
import {
  type AuditedObject,
  type EventTail,
  eventText,
  type Level,
  type ResponseStatus,
  type Stage,
  userInfoOf,
} from './event.js';
import { type Policy, type Verdict, verdictOf } from './policy.js';
import { redactionOf, safeUrl, withoutManagedFields } from './redact.js';
import { attemptedBy, sourcesOf, userAgentOf } from './source.js';

/** Takes finished events; false when none of them could be kept. */
export type Emit = (text: string, level: Level, stage: Stage) => boolean;

export interface RecordOptions {
  policy: Policy;
  emit: Emit;
  now(): Date;
  /** Requests are refused that cannot be written down. */
  strict: boolean;
  /** Told of each of them. */
  rejected(): void;
}

interface Arrival {
  raw: IncomingMessage;
  url: string;
  id: string;
}

type Named = { [F in 'name' | 'namespace' | 'uid' | 'resourceVersion']?: string | undefined };

const streaming: ReadonlySet<string> = new Set(['log', 'exec', 'attach', 'portforward', 'proxy']);

export class AuditRecord {
  readonly #options: RecordOptions;
  readonly #arrival: Arrival;
  readonly #receivedAt: Date;
  #info: RequestInfo | undefined;
  #user: User | undefined;
  #impersonated: User | undefined;
  #verdict: Verdict | undefined;
  #object: AuditedObject | undefined;
  #request: string | undefined;
  #response: string | undefined;
  #status: ResponseStatus | undefined;
  #annotations: Record<string, string> | undefined;
  #isDefect = false;
  #isStarted = false;
  #isEnded = false;

  constructor(options: RecordOptions, arrival: Arrival) {
    this.#options = options;
    this.#arrival = arrival;
    this.#receivedAt = options.now();
  }

  /** Once, with who really asks. Throws 500 when the event cannot be kept and must be. */
  authenticated(user: User, info: RequestInfo): void {
    this.#user = user;
    this.#decide(info);
    if (this.#emit('RequestReceived') || !this.#options.strict) return;
    this.#options.rejected();
    throw new ApiError('InternalError', 'the audit log cannot be written, no request is served without it');
  }

  /** As whom the request goes on. */
  impersonated(user: User): void {
    this.#impersonated = user;
  }

  authorized({ allowed, reason }: { allowed: boolean; reason: string }): void {
    this.annotate('authorization.k8s.io/decision', allowed ? 'allow' : 'forbid');
    this.annotate('authorization.k8s.io/reason', reason);
  }

  /** The first value of a key stays, as in kube-apiserver. */
  annotate(key: string, value: string): void {
    if (!this.#isWanted('Metadata')) return;
    this.#annotations ??= {};
    this.#annotations[key] ??= value;
  }

  /** The decoded body; read at once, since it may be changed later. */
  requestBody(body: unknown): void {
    if (!this.#isWanted('Metadata') || typeof body !== 'object' || body === null) return;
    if ('metadata' in body) this.named(body.metadata as Named | undefined);
    if (this.#isWanted('Request')) this.#request = this.#textOf(body);
  }

  /** What the metadata of the object adds to what the URL says, such as the name of what is created. */
  named(metadata: Named | undefined): void {
    const object = this.#object;
    if (!object || !metadata) return;
    for (const field of ['name', 'namespace', 'uid', 'resourceVersion'] as const) {
      const value = metadata[field];
      if (value && typeof value === 'string') object[field] ??= value;
    }
  }

  /** The answer as it is sent, in JSON or YAML. */
  responseBody(body: Buffer): void {
    if (!this.#isWanted('RequestResponse')) return;
    const text = body.toString('utf8');
    const isPlain = text.startsWith('{') && !text.includes('\n');
    this.#response = isPlain && !this.#mustChange() ? text : this.#textOf(parsed(text));
  }

  /** The answer was a Status. */
  answeredStatus({ status, message, reason, details, code }: Partial<Status>): void {
    this.#status = {
      metadata: {},
      ...(status && { status }),
      ...(message && { message }),
      ...(reason && { reason }),
      ...(details && { details }),
      code: code ?? 200,
    };
  }

  /** `isDefect`: nobody meant it to be thrown. */
  refused(refusal: ApiError, isDefect: boolean): void {
    // The client has its answer; what breaks later is told in the stream.
    if (this.#isStarted) return;
    this.#isDefect = isDefect;
    const status = refusal.toStatus();
    this.answeredStatus(
      this.#user || status.code !== 401 ? status : { ...status, message: attemptedBy(this.#arrival.raw) },
    );
    if (this.#isWanted('RequestResponse')) this.#response = JSON.stringify(status);
  }

  /** Tells from what is written to them when the answer begins and ends. */
  follow(response: ServerResponse): void {
    const writeHead = response.writeHead.bind(response) as (...given: unknown[]) => ServerResponse;
    response.writeHead = (...given: unknown[]): ServerResponse => {
      this.#started(Number(given[0]));
      return writeHead(...given);
    };
    response.once('close', () => this.ended(response.statusCode));
  }

  /** As `follow`, of a connection that was given away; its answer begins with a status line. */
  followSocket(socket: Duplex): void {
    let code = 0;
    const write = socket.write.bind(socket) as (...given: unknown[]) => boolean;
    const first = (...given: unknown[]): boolean => {
      // What the socket has of its own is its prototype's, which serves again from here on.
      Reflect.deleteProperty(socket, 'write');
      code = Number(/^HTTP\/1\.1 (\d{3})/.exec(String(given[0]).slice(0, 12))?.[1] ?? 0);
      this.#started(code);
      return write(...given);
    };
    socket.write = first as typeof socket.write;
    socket.once('close', () => this.ended(code || 499));
  }

  #started(code: number): void {
    if (this.#isStarted || !this.#verdict || !isLong(this.#info)) return;
    this.#isStarted = true;
    this.#emit('ResponseStarted', code);
  }

  ended(code: number): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    const isStranger = !this.#verdict;
    this.#decide(this.#info);
    if (isStranger && code === 401) this.#emit('ResponseStarted', code);
    else this.#emit(this.#isDefect ? 'Panic' : 'ResponseComplete', code);
  }

  #decide(info: RequestInfo | undefined): void {
    if (this.#verdict) return;
    this.#info = info;
    const { raw, url } = this.#arrival;
    const verb = info?.verb ?? (raw.method ?? 'get').toLowerCase();
    const path = info?.path ?? url.split('?', 1)[0] ?? url;
    const target = info?.target;
    this.#verdict = verdictOf(this.#options.policy, { user: this.#user, verb, path, target });
    if (target && this.#verdict.level !== 'None') this.#object = objectOf(target);
  }

  /** The request as it was parsed, for one that is not authenticated after all. */
  parsed(info: RequestInfo): void {
    this.#info = info;
  }

  #isWanted(level: 'Metadata' | 'Request' | 'RequestResponse'): boolean {
    const own = this.#verdict?.level ?? 'None';
    if (own === 'None') return false;
    if (level === 'Metadata' || own === 'RequestResponse') return true;
    return own === level;
  }

  #mustChange(): boolean {
    const target = this.#info?.target;
    return this.#verdict?.omitManagedFields === true || (!!target && redactionOf(target) !== undefined);
  }

  #textOf(body: unknown): string {
    const target = this.#info?.target;
    const redact = target && redactionOf(target);
    const own = this.#verdict?.omitManagedFields ? withoutManagedFields(body) : body;
    return JSON.stringify(redact ? redact(own) : own);
  }

  #emit(stage: Stage, code?: number): boolean {
    const verdict = this.#verdict;
    if (!verdict || verdict.level === 'None' || verdict.omitStages.has(stage)) return true;
    const { raw, url, id } = this.#arrival;
    const userAgent = userAgentOf(raw);
    const text = eventText(
      {
        kind: 'Event',
        apiVersion: 'audit.k8s.io/v1',
        level: verdict.level,
        auditID: id,
        stage,
        requestURI: safeUrl(url),
        verb: this.#info?.verb ?? (raw.method ?? '').toLowerCase(),
        user: this.#user ? userInfoOf(this.#user) : {},
        impersonatedUser: this.#impersonated && userInfoOf(this.#impersonated),
        sourceIPs: sourcesOf(raw),
        ...(userAgent && { userAgent }),
        objectRef: this.#object,
        responseStatus: code === undefined ? undefined : (this.#status ?? { metadata: {}, code }),
      },
      { request: this.#request, response: this.#response },
      this.#tail(),
    );
    return this.#options.emit(text, verdict.level, stage);
  }

  #tail(): EventTail {
    return {
      requestReceivedTimestamp: toMicroTime(this.#receivedAt),
      stageTimestamp: toMicroTime(this.#options.now()),
      ...(this.#annotations && { annotations: this.#annotations }),
    };
  }
}

const isLong = (info: RequestInfo | undefined): boolean =>
  info?.verb === 'watch' || (info?.target !== undefined && streaming.has(info.target.subresource));

function objectOf({
  group,
  version,
  resource,
  subresource,
  namespace,
  name,
}: NonNullable<RequestInfo['target']>): AuditedObject {
  return {
    resource,
    ...(namespace && { namespace }),
    ...(name && { name }),
    ...(group && { apiGroup: group }),
    apiVersion: version,
    ...(subresource && { subresource }),
  };
}

const parsed = (text: string): unknown => (text.startsWith('{') ? JSON.parse(text) : parse(text));
