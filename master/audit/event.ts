/**
 * Contract: what is written down about a request, as audit.k8s.io/v1 defines it. Made by `record.ts`, carried by sinks.
 *
 * A sink gets events as finished JSON: they are serialised once, however many sinks there are, and bodies of requests are
 * copied in as text.
 */
import type { User } from '../registry/registry.js';

export const levels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
/** How much of a request is written down; each level holds all of the one before. */
export type Level = (typeof levels)[number];

export const stages = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;
export type Stage = (typeof stages)[number];

export interface UserInfo {
  username?: string;
  uid?: string;
  groups?: readonly string[];
  extra?: Readonly<Record<string, readonly string[]>>;
}

/** What a request was about; made more precise by its body. */
export interface AuditedObject {
  resource: string;
  namespace?: string;
  name?: string;
  uid?: string;
  apiGroup?: string;
  apiVersion?: string;
  resourceVersion?: string;
  subresource?: string;
}

/** The parts of a Status that are kept. */
export interface ResponseStatus {
  metadata: object;
  status?: string;
  message?: string;
  reason?: string;
  details?: unknown;
  code: number;
}

/** Everything but the bodies; keys in the order in which they are written. */
export interface EventHead {
  kind: 'Event';
  apiVersion: 'audit.k8s.io/v1';
  level: Level;
  auditID: string;
  stage: Stage;
  requestURI: string;
  verb: string;
  user: UserInfo;
  impersonatedUser?: UserInfo | undefined;
  sourceIPs?: readonly string[];
  userAgent?: string;
  objectRef?: AuditedObject | undefined;
  responseStatus?: ResponseStatus | undefined;
}

export interface EventTail {
  requestReceivedTimestamp: string;
  stageTimestamp: string;
  annotations?: Readonly<Record<string, string>>;
}

/** The event as one line of JSON, without a line break; bodies are JSON already. */
export function eventText(
  head: EventHead,
  bodies: { request: string | undefined; response: string | undefined },
  tail: EventTail,
): string {
  const request = bodies.request === undefined ? '' : `"requestObject":${bodies.request},`;
  const response = bodies.response === undefined ? '' : `"responseObject":${bodies.response},`;
  return `${JSON.stringify(head).slice(0, -1)},${request}${response}${JSON.stringify(tail).slice(1)}`;
}

export const userInfoOf = ({ name, uid, groups, extra }: User): UserInfo => ({
  username: name,
  ...(uid && { uid }),
  ...(groups.length > 0 && { groups }),
  ...(extra && { extra }),
});

/** Where events go: a file, a webhook. */
export interface Sink {
  /** `log` or `webhook`, as metrics name them. */
  readonly name: string;
  /** Never waits. False when the event was not taken. */
  take(text: string): boolean;
}
