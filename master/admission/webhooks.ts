/**
 * 2. Admission webhooks: mutating ones one after the other, each on what the one before left, validating ones at once.
 *
 *   match rules, selectors, conditions -> AdmissionReview -> POST -> answer checked -> denied, patched or admitted
 *
 * A call that gives no usable answer refuses the request (`failurePolicy: Fail`) or counts as admitted (`Ignore`).
 */
import { randomUUID } from 'node:crypto';
import { ApiError, internalError } from '../../src/api/errors.js';
import { jsonPatch } from '../../src/api/patch/patch.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Logger } from '../../src/host/log.js';
import type { Caller } from '../aggregation/caller.js';
import { isSameJson } from '../registry/codec.js';
import type { Resource } from '../resources/resource.js';
import { decodeMutated } from './decode.js';
import type { Hook } from './hooks.js';
import type { Matching } from './matching.js';
import {
  createReview,
  InvalidPatch,
  InvalidReview,
  type ReviewResponse,
  readReview,
  reviewVersionOf,
} from './review.js';
import type { Rounds } from './rounds.js';
import { checkAborted, type Subject, type Versioned } from './subject.js';
import { type AuthorizerFunction, variablesOf } from './variables.js';
import { noDryRun, WebhookDenied, WebhookFailed } from './webhookerrors.js';

export interface WebhookDeps {
  caller: Caller;
  matching: Matching;
  authorize: AuthorizerFunction;
  log: Logger;
  /** For the audit log. */
  annotate(subject: Subject, key: string, value: string): void;
}

const defaultTimeoutSeconds = 10;

export async function mutateByWebhooks(
  deps: WebhookDeps,
  hooks: readonly Hook[],
  subject: Subject,
  rounds: Rounds,
): Promise<void> {
  for (const hook of hooks) {
    const row = rounds.mayCall(hook.id) ? await wantedAs(deps, hook, subject) : undefined;
    if (!row) continue;
    const before = (await subject.inVersion(row)).object;
    const response = await askOr(deps, hook, subject, row, true);
    const patched = response && response.patch.length > 0 ? applied(hook, before, response.patch) : before;
    const object = patched !== before && patched ? decodeMutated(row, patched, before) : undefined;
    const isChanged = object !== undefined && !isSameJson(object, before);
    if (isChanged) await subject.replace(row, object);
    rounds.called(hook.id, { isChanged, isReinvocable: hook.isReinvocable });
  }
}

/** All of them at once; rejects with the first refusal in their order. */
export async function validateByWebhooks(
  deps: WebhookDeps,
  hooks: readonly Hook[],
  subject: Subject,
): Promise<void> {
  const wanted: { hook: Hook; row: Resource }[] = [];
  for (const hook of hooks) {
    const row = await wantedAs(deps, hook, subject);
    if (!row) continue;
    await subject.inVersion(row);
    wanted.push({ hook, row });
  }
  if (wanted.length === 0) return;
  checkAborted(subject);
  const results = await Promise.allSettled(
    wanted.map(({ hook, row }) => askOr(deps, hook, subject, row, false)),
  );
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** The row to show the request in; `undefined` when the webhook does not want it. */
async function wantedAs(deps: WebhookDeps, hook: Hook, subject: Subject): Promise<Resource | undefined> {
  const row = await deps.matching.match(hook.criteria, subject);
  if (!row || !hook.conditions) return row;
  const shown = await subject.inVersion(row);
  let met: boolean;
  try {
    met = await hook.conditions.areMet(variablesOf(subject, row, shown, deps.authorize));
  } catch (error) {
    throw subject.forbidden((error as Error).message);
  }
  return met ? row : undefined;
}

/** The answer of one webhook; `undefined` when the call failed and that is to be ignored. */
async function askOr(
  deps: WebhookDeps,
  hook: Hook,
  subject: Subject,
  row: Resource,
  isMutating: boolean,
): Promise<ReviewResponse | undefined> {
  const { webhook } = hook;
  try {
    const response = await ask(deps, hook, subject, row, isMutating);
    for (const [key, value] of Object.entries(response.auditAnnotations))
      deps.annotate(subject, `${webhook.name}/${key}`, value);
    for (const warning of response.warnings) subject.request.context.warn(warning);
    if (!response.allowed) throw new WebhookDenied(webhook.name, response.status);
    return response;
  } catch (error) {
    if (!(error instanceof WebhookFailed)) throw error;
    checkAborted(subject);
    if (webhook.failurePolicy !== 'Ignore') throw error.toApiError();
    deps.log.warn({ err: error, webhook: webhook.name }, 'a webhook failed and is ignored, as it asks for');
    return undefined;
  }
}

async function ask(
  deps: WebhookDeps,
  { webhook }: Hook,
  subject: Subject,
  row: Resource,
  isMutating: boolean,
): Promise<ReviewResponse> {
  const { context } = subject.request;
  if (context.dryRun && webhook.sideEffects !== 'None' && webhook.sideEffects !== 'NoneOnDryRun')
    throw noDryRun(webhook.name);
  const version = reviewVersionOf(webhook.admissionReviewVersions ?? []);
  if (!version) {
    const why =
      'could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)';
    throw new WebhookFailed(webhook.name, why);
  }
  const uid = randomUUID();
  const shown: Versioned = await subject.inVersion(row);
  const answer = await callOf(deps, webhook, createReview(version, uid, subject, row, shown), context.signal);
  try {
    return readReview(answer, { version, uid, isMutating });
  } catch (error) {
    if (error instanceof InvalidReview)
      throw new WebhookFailed(webhook.name, `received invalid webhook response: ${error.message}`, error);
    if (error instanceof InvalidPatch) {
      const why = `received undecodable patch in webhook response: ${error.message}`;
      throw new WebhookFailed(webhook.name, why, error);
    }
    throw error;
  }
}

async function callOf(
  { caller }: WebhookDeps,
  { name, clientConfig, timeoutSeconds = defaultTimeoutSeconds }: Hook['webhook'],
  body: object,
  signal: AbortSignal,
): Promise<unknown> {
  try {
    return await caller.post({ target: clientConfig, body, timeoutMs: timeoutSeconds * 1000, signal });
  } catch (error) {
    throw new WebhookFailed(name, `failed to call webhook: ${(error as Error).message}`, error);
  }
}

/** The object as the webhook wants it. Rejects with 500 for a patch that does not apply, whatever the failure policy. */
function applied(hook: Hook, object: KubeObject | undefined, patch: readonly unknown[]): KubeObject {
  if (!object) {
    const what = `admission webhook ${JSON.stringify(hook.webhook.name)} attempted to modify the object`;
    throw internalError(new Error(`${what}, which is not supported for this operation`));
  }
  try {
    return jsonPatch(object, patch) as KubeObject;
  } catch (error) {
    const why = error instanceof ApiError ? (error.details?.causes?.[0]?.message ?? error.message) : error;
    throw internalError(why instanceof Error ? why : new Error(String(why), { cause: error }));
  }
}
