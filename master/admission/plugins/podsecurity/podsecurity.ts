/**
 * 2. PodSecurity: what pods may ask of the host, as the labels of their namespace say: the Pod Security Standards of
 * Kubernetes. The rules are in `checks.ts`, who is asked when in `pods.ts` and `namespaces.ts`.
 */
import type { Admission } from '../../../registry/admission.js';
import type { PluginDeps } from '../../plugin.js';
import { createEvaluator } from './checks.js';
import { createCounts } from './counts.js';
import { createNamespaceCheck } from './namespaces.js';
import { kindOf } from './parts.js';
import { createPodCheck, makesPods } from './pods.js';
import { settingsOf } from './settings.js';

const namespaceKind = '/namespaces';

/** Throws an `Error` when its configuration is wrong. */
export function createPodSecurity({ client, clock, configuration, metrics }: PluginDeps): Admission {
  const settings = settingsOf(configuration?.get('PodSecurity'));
  const parts = { client, clock, settings, evaluate: createEvaluator(), counts: createCounts(metrics) };
  const checkPod = createPodCheck(parts);
  const checkNamespace = createNamespaceCheck(parts);
  return {
    concerns: (resource, operation, subresource) => {
      if (operation !== 'CREATE' && operation !== 'UPDATE') return false;
      const kind = kindOf(resource);
      if (subresource !== '') return kind === '/pods' && subresource === 'ephemeralcontainers';
      return kind === namespaceKind || makesPods(kind);
    },
    mutate: async ({ object }) => object,
    validate: (request) =>
      kindOf(request.resource) === namespaceKind ? checkNamespace(request) : checkPod(request),
  };
}
