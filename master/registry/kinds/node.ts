/** The strategy of Nodes. A node registers itself complete with status. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import { labelKeyErrors, labelValueErrors } from '../../../src/api/names.js';
import type { Node, Taint } from '../../../src/api/types.js';
import { parseCidr } from '../../../src/net/cidr.js';
import { isSameJson } from '../codec.js';
import type { Strategy } from '../strategy.js';
import { allInvalid, duplicate, forbiddenField, invalidValue, oneOf, required } from '../validation/field.js';
import { validateAmount } from './quantity.js';

export const nodeStrategy: Strategy<Node> = {
  generation: false,
  prepareForCreate: (_context, node) => node,
  prepareForUpdate: (_context, node, old) => ({ ...node, status: old.status }),
  validate: ({ spec, status }) => [
    ...validateTaints(spec?.taints),
    ...(spec?.podCIDRs ?? []).flatMap((text, index) =>
      parseCidr(text)
        ? []
        : [
            invalidValue(
              `spec.podCIDRs[${index}]`,
              text,
              'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
            ),
          ],
    ),
    ...Object.entries(status?.capacity ?? {}).flatMap(([name, amount]) =>
      validateAmount(`status.capacity[${name}]`, amount),
    ),
  ],
  validateUpdate: ({ spec }, { spec: old }) => {
    const errors: FieldError[] = [];
    if (old?.podCIDRs?.length && !isSameJson(spec?.podCIDRs, old.podCIDRs)) {
      errors.push(
        forbiddenField('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'),
      );
    }
    if (old?.providerID && spec?.providerID !== old.providerID) {
      errors.push(
        forbiddenField('spec.providerID', 'node updates may not change providerID except from "" to valid'),
      );
    }
    return errors;
  },
  fields: ({ spec }) => ({ 'spec.unschedulable': String(spec?.unschedulable ?? false) }),
};

function validateTaints(taints: readonly Taint[] | undefined): FieldError[] {
  const seen = new Set<string>();
  return (taints ?? []).flatMap((taint, index) => {
    const path = `spec.taints[${index}]`;
    const { key = '', value = '', effect } = taint;
    const errors = [
      ...allInvalid(`${path}.key`, key, labelKeyErrors(key)),
      ...allInvalid(`${path}.value`, value, labelValueErrors(value)),
    ];
    if (!effect) errors.push(required(`${path}.effect`));
    else errors.push(...oneOf(`${path}.effect`, effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute']));
    const pair = `${key}:${effect}`;
    if (seen.has(pair))
      errors.push({ ...duplicate(path, taint), detail: 'taints must be unique by key and effect pair' });
    seen.add(pair);
    return errors;
  });
}
