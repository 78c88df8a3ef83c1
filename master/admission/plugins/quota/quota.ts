/**
 * 2. ResourceQuota: the last plugin of all. It refuses what would take more than the quotas of its namespace leave, and
 * charges what it lets through. What counts for how much is in `evaluators.ts`, the charging in `ledger.ts`.
 *
 * Where no quota is, nothing is of concern; with quotas elsewhere a write costs a look into a map. A namespace is known to
 * have a quota from the moment one is about to be created there, before the first informer can see it.
 */
import { forbidden } from '../../../../src/api/errors.js';
import { resourceQuotas } from '../../../../src/api/kinds.js';
import type { Admission, AdmissionRequest } from '../../../registry/admission.js';
import type { PluginDeps } from '../../plugin.js';
import { evaluatorOf } from './evaluators.js';
import type { QuotaLedger } from './ledger.js';
import { type Limited, limitedOf, uncovered } from './limited.js';

/** How long an announced quota counts as there although nobody has seen it: its creation may have failed. */
const announcedMs = 60_000;

/** Throws an `Error` when its configuration is wrong. */
export function createResourceQuota(
  { client, informers, clock, configuration }: PluginDeps,
  ledger: QuotaLedger,
): Admission {
  const limited = limitedOf(configuration?.get('ResourceQuota'));
  const seen = new Map<string, number>();
  const announced = new Set<string>();
  informers.get(resourceQuotas).onChange(({ old, current }) => {
    const namespace = (current ?? old)?.metadata.namespace ?? '';
    const count = (seen.get(namespace) ?? 0) + Number(current !== undefined) - Number(old !== undefined);
    if (count > 0) seen.set(namespace, count);
    else seen.delete(namespace);
    announced.delete(namespace);
  });

  function announce(namespace: string): void {
    announced.add(namespace);
    clock.after(announcedMs, () => announced.delete(namespace));
  }

  const limitsOf = ({ type }: AdmissionRequest['resource']): readonly Limited[] =>
    limited.filter(({ group, resource }) => group === type.group && resource === type.resource);

  const isQuota = ({ type }: AdmissionRequest['resource']): boolean =>
    type.resource === resourceQuotas.resource && type.group === resourceQuotas.group;

  return {
    concerns(resource, operation, subresource) {
      if (operation === 'CREATE' && subresource === '' && isQuota(resource)) return true;
      if (seen.size === 0 && announced.size === 0 && limitsOf(resource).length === 0) return false;
      return evaluatorOf(resource.type, resource.verbs)?.handles(operation, subresource) ?? false;
    },
    mutate: (request) => Promise.resolve(request.object),
    async validate(request) {
      const { namespace, object, resource, operation, subresource, context } = request;
      if (!namespace || !object) return;
      if (isQuota(resource) && operation === 'CREATE' && !context.dryRun) announce(namespace);
      const hasQuota = seen.has(namespace) || announced.has(namespace);
      const limits = limitsOf(resource);
      if (!hasQuota && limits.length === 0) return;
      const evaluator = evaluatorOf(resource.type, resource.verbs);
      if (!evaluator?.handles(operation, subresource)) return;
      const { group, resource: plural } = resource.type;
      const name = object.metadata.name ?? request.name ?? '';
      const demand = { evaluator, object, old: request.oldObject };
      const refuse = (why: string): Error => forbidden({ group, resource: plural, name }, why);
      if (limits.length > 0) {
        const { items } = await client.list(resourceQuotas, { namespace });
        const why = uncovered(limits, items, demand, clock.now());
        if (why) throw refuse(why);
      }
      if (!hasQuota) return;
      const settled = await ledger.admit({ namespace, demand, isDryRun: context.dryRun, refuse });
      if (request.onSettled) request.onSettled(settled);
      else settled(true);
    },
  };
}
