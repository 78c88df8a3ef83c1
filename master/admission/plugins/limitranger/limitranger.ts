/**
 * 2. LimitRanger: gives containers what the LimitRanges of their namespace say by default, and refuses pods and claims
 * that are outside of their limits.
 *
 * It reads the LimitRanges of the namespace from the registry each time: one that was just created holds for the next
 * request, and reading a few objects costs microseconds. Only pods and claims are of concern.
 */
import { forbidden } from '../../../../src/api/errors.js';
import { limitRanges } from '../../../../src/api/kinds.js';
import type { KubeObject, LimitRange, PersistentVolumeClaim, Pod } from '../../../../src/api/types.js';
import type { Admission, AdmissionRequest } from '../../../registry/admission.js';
import type { PluginDeps } from '../../plugin.js';
import { withDefaults } from './defaults.js';
import { claimViolations, podViolations } from './violations.js';

export function createLimitRanger({ client }: Pick<PluginDeps, 'client'>): Admission {
  /** By name, so that the outcome does not depend on chance. */
  async function rangesFor({ namespace, oldObject }: AdmissionRequest): Promise<readonly LimitRange[]> {
    // What is on its way out is left alone.
    if (!namespace || oldObject?.metadata.deletionTimestamp) return [];
    return (await client.list(limitRanges, { namespace })).items;
  }

  return {
    concerns: ({ type }, operation, subresource) => {
      if (type.group !== '') return false;
      if (type.resource === 'pods')
        return subresource === 'resize'
          ? operation === 'UPDATE'
          : subresource === '' && operation === 'CREATE';
      if (type.resource !== 'persistentvolumeclaims' || subresource !== '') return false;
      return operation === 'CREATE' || operation === 'UPDATE';
    },
    async mutate(request) {
      const { object, resource } = request;
      if (resource.type.resource !== 'pods' || !object) return object;
      const ranges = await rangesFor(request);
      return ranges.length === 0 ? object : withDefaults(object as Pod, ranges);
    },
    async validate(request) {
      const { object, resource } = request;
      const ranges = await rangesFor(request);
      if (ranges.length === 0 || !object) return;
      const found = violationsOf(ranges, request, object);
      if (found.length === 0) return;
      const { group, resource: name } = resource.type;
      throw forbidden(
        { group, resource: name, name: object.metadata.name ?? request.name ?? '' },
        found.length === 1 ? `${found[0]}` : `[${found.join(', ')}]`,
      );
    },
  };
}

function violationsOf(
  ranges: readonly LimitRange[],
  { resource, oldObject }: AdmissionRequest,
  object: KubeObject,
): string[] {
  return resource.type.resource === 'pods'
    ? podViolations(ranges, object as Pod, oldObject as Pod | undefined)
    : claimViolations(
        ranges,
        object as PersistentVolumeClaim,
        oldObject as PersistentVolumeClaim | undefined,
      );
}
