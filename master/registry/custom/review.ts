/**
 * 2. ConversionReview: how a conversion webhook is asked, and what its answer means. Called by `convert.ts` through the
 * composition root.
 */
import type { CustomResourceDefinition, KubeObject, Status } from '../../../src/api/types.js';
import type { Caller } from '../../aggregation/caller.js';
import type { AskConversion } from './convert.js';

/** kube-apiserver waits as long. */
const timeoutMs = 30_000;

interface ReviewResponse {
  uid?: string;
  convertedObjects?: unknown[];
  result?: Partial<Status>;
}

export interface ConversionOptions {
  caller: Pick<Caller, 'post'>;
  newUid(): string;
}

/** Asks the webhook of the definition; the URL or Service is looked up with every call. */
export function createConversion(
  { caller, newUid }: ConversionOptions,
  definition: CustomResourceDefinition,
): AskConversion {
  const { clientConfig, conversionReviewVersions = [] } = definition.spec.conversion?.webhook ?? {};
  const version = conversionReviewVersions.find((name) => name === 'v1' || name === 'v1beta1');
  return async (objects: readonly KubeObject[], desiredAPIVersion) => {
    if (!version || !clientConfig) throw new Error('no supported conversion review versions');
    const uid = newUid();
    const apiVersion = `apiextensions.k8s.io/${version}`;
    const body = { apiVersion, kind: 'ConversionReview', request: { uid, desiredAPIVersion, objects } };
    const signal = AbortSignal.timeout(timeoutMs);
    const answer = await caller.post({ target: clientConfig, body, timeoutMs, signal });
    return convertedOf(answer, apiVersion, uid);
  };
}

function convertedOf(answer: unknown, apiVersion: string, uid: string): readonly unknown[] {
  const review = (answer ?? {}) as { apiVersion?: string; kind?: string; response?: ReviewResponse };
  if (review.apiVersion !== apiVersion || review.kind !== 'ConversionReview') {
    const found = `${review.apiVersion ?? ''}, Kind=${review.kind ?? ''}`;
    throw new Error(`expected webhook response of ${apiVersion}, Kind=ConversionReview, got ${found}`);
  }
  const { response } = review;
  if (!response) throw new Error('no response provided');
  if (apiVersion.endsWith('/v1') && response.uid !== uid) {
    const found = JSON.stringify(response.uid ?? '');
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${found}`);
  }
  const { status = '', message } = response.result ?? {};
  if (status !== 'Success')
    throw new Error(message || `response.result.status was '${status}', not 'Success'`);
  const { convertedObjects = [] } = response;
  if (!Array.isArray(convertedObjects)) throw new Error('response.convertedObjects is no list');
  return convertedObjects;
}
