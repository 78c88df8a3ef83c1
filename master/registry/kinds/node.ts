/** The strategy of Nodes. A node registers itself complete with status. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import { labelKeyErrors, labelValueErrors } from '../../../src/api/names.js';
import type { Node, NodeStatus, Taint } from '../../../src/api/types.js';
import { parseCidr } from '../../../src/net/cidr.js';
import { isSameJson } from '../codec.js';
import type { Strategy } from '../strategy.js';
import { allInvalid, duplicate, forbiddenField, invalidValue, oneOf, required } from '../validation/field.js';
import { validateQuantity } from './resourcename.js';

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
    ...validateFamilies(spec?.podCIDRs ?? []),
    ...validateStatus(status),
  ],
  validateStatusUpdate: ({ status }) => validateStatus(status),
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
    if (spec?.externalID !== old?.externalID)
      errors.push(forbiddenField('spec.externalID', 'may not be updated'));
    return errors;
  },
  fields: ({ spec }) => ({ 'spec.unschedulable': String(spec?.unschedulable ?? false) }),
};

/** At most one network of each family, none of them twice. */
function validateFamilies(cidrs: readonly string[]): FieldError[] {
  if (cidrs.length < 2) return [];
  const families = new Set(cidrs.map((text) => parseCidr(text)?.family));
  const detail = 'may specify no more than one CIDR for each IP family';
  return [
    ...(families.size < 2 || cidrs.length > 2 ? [invalidValue('spec.podCIDRs', cidrs, detail)] : []),
    ...cidrs.flatMap((text, index) =>
      cidrs.indexOf(text) < index ? [duplicate(`spec.podCIDRs[${index}]`, text)] : [],
    ),
  ];
}

function validateStatus(status: NodeStatus | undefined): FieldError[] {
  const seen = new Set<string>();
  const amounts = (list: 'capacity' | 'allocatable'): FieldError[] =>
    Object.entries(status?.[list] ?? {}).flatMap(([name, amount]) =>
      validateQuantity(`status.${list}.${name}`, name, amount),
    );
  return [
    ...amounts('capacity'),
    ...amounts('allocatable'),
    ...(status?.addresses ?? []).flatMap(({ type, address }, index) => {
      const key = `${type} ${address}`;
      const isTaken = seen.has(key);
      seen.add(key);
      if (!isTaken) return [];
      const valueText = JSON.stringify({ Type: type, Address: address });
      return [{ ...duplicate(`status.addresses[${index}]`, key), valueText }];
    }),
  ];
}

/** The path is the one kube-apiserver prints, though the field is in the spec. */
function validateTaints(taints: readonly Taint[] | undefined): FieldError[] {
  const seen = new Set<string>();
  return (taints ?? []).flatMap((taint, index) => {
    const path = `metadata.taints[${index}]`;
    const { key = '', value = '', effect } = taint;
    const errors = [
      ...allInvalid(`${path}.key`, key, labelKeyErrors(key)),
      ...allInvalid(`${path}.value`, value, labelValueErrors(value)),
    ];
    if (!effect) errors.push(required(`${path}.effect`));
    else errors.push(...oneOf(`${path}.effect`, effect, ['NoSchedule', 'PreferNoSchedule', 'NoExecute']));
    const pair = `${key}:${effect}`;
    if (seen.has(pair))
      errors.push({
        ...duplicate(path, taint),
        valueText: JSON.stringify({
          Key: key,
          Value: value,
          Effect: effect,
          TimeAdded: taint.timeAdded ?? null,
        }),
        detail: 'taints must be unique by key and effect pair',
      });
    seen.add(pair);
    return errors;
  });
}
