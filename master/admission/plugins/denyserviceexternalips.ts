/**
 * 2. DenyServiceExternalIPs: nobody takes traffic for an address by naming it in a Service. Off unless
 * `--enable-admission-plugins` names it. Addresses that a Service has already it may keep or give up.
 */
import type { KubeObject, Service } from '../../../src/api/types.js';
import type { Admission } from '../../registry/admission.js';
import { refused } from './refusal.js';

const addressesOf = (object: KubeObject | undefined): readonly string[] =>
  (object as Service | undefined)?.spec?.externalIPs ?? [];

export const createDenyServiceExternalIps = (): Admission => ({
  concerns: ({ type }, operation, subresource) =>
    type.group === '' &&
    type.resource === 'services' &&
    subresource === '' &&
    (operation === 'CREATE' || operation === 'UPDATE'),
  mutate: async ({ object }) => object,
  async validate(request) {
    const before = addressesOf(request.oldObject);
    if (addressesOf(request.object).every((address) => before.includes(address))) return;
    throw refused(request, 'Use of external IPs is denied by admission control');
  },
});
