/**
 * 2. EventRateLimit: how many events the API takes, in all, of a namespace, of a user, or of one source about one object.
 *
 * Events are advice for humans; whoever floods must not cost others their place. A refusal is 429 with the time after which
 * it is worth to come back. A dry run writes nothing and is not counted.
 */
import { ApiError } from '../../../../src/api/errors.js';
import type { Event, ObjectReference } from '../../../../src/api/types.js';
import type { Admission, AdmissionRequest } from '../../../registry/admission.js';
import type { PluginDeps } from '../../plugin.js';
import { Buckets } from './buckets.js';
import { type LimitType, limitsOf } from './limits.js';

const keyOf: Record<LimitType, (request: AdmissionRequest) => string> = {
  Server: () => '',
  Namespace: ({ namespace }) => namespace ?? '',
  User: ({ context }) => context.user.name,
  SourceAndObject: ({ object }) => sourceAndObject(object as Event & NewEvent),
};

/** What events.k8s.io calls otherwise. */
interface NewEvent {
  deprecatedSource?: Event['source'];
  regarding?: ObjectReference;
}

function sourceAndObject(event: Event & NewEvent): string {
  const { component, host } = event.source ?? event.deprecatedSource ?? {};
  const { kind, namespace, name, uid, apiVersion } = event.involvedObject ?? event.regarding ?? {};
  return JSON.stringify([component, host, kind, namespace, name, uid, apiVersion]);
}

/** Throws an `Error` when its configuration is wrong. */
export function createEventRateLimit({ clock, configuration }: PluginDeps): Admission {
  const limits = limitsOf(configuration?.get('EventRateLimit')).map((limit) => ({
    type: limit.type,
    buckets: new Buckets(limit),
  }));
  return {
    concerns: ({ type }, operation, subresource) =>
      type.resource === 'events' &&
      subresource === '' &&
      (type.group === '' || type.group === 'events.k8s.io') &&
      (operation === 'CREATE' || operation === 'UPDATE'),
    mutate: async ({ object }) => object,
    async validate(request) {
      if (request.context.dryRun) return;
      const nowMs = clock.monotonicMs();
      const reached = limits.flatMap(({ type, buckets }) => {
        const key = keyOf[type](request);
        const waitMs = buckets.take(key, nowMs);
        return waitMs > 0 ? [{ waitMs, text: `limit reached on type ${type} for key ${key}` }] : [];
      });
      if (reached.length === 0) return;
      const texts = reached.map(({ text }) => text);
      const message = texts.length === 1 ? (texts[0] ?? '') : `[${texts.join(', ')}]`;
      const retryAfterSeconds = Math.max(...reached.map(({ waitMs }) => Math.ceil(waitMs / 1000)));
      throw new ApiError('TooManyRequests', message, { retryAfterSeconds });
    },
  };
}
