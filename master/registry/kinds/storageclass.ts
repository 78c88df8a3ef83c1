/** The strategies of StorageClasses and VolumeAttributesClasses. Pure. Rules and wording as kube-apiserver has them. */
import type { FieldError } from '../../../src/api/errors.js';
import { labelKeyErrors } from '../../../src/api/names.js';
import type { StorageClass, TopologySelectorTerm, VolumeAttributesClass } from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import type { Strategy } from '../strategy.js';
import {
  allInvalid,
  duplicate,
  forbiddenField,
  immutable,
  invalidValue,
  oneOf,
  required,
  tooLong,
} from '../validation/field.js';
import { validateDriverName } from './names.js';

const maxParameters = 512;
const maxParameterBytes = 256 * 1024;

export const storageClassStrategy: Strategy<StorageClass> = {
  generation: false,
  validate: (one) => [
    ...(one.provisioner
      ? allInvalid('provisioner', one.provisioner, labelKeyErrors(one.provisioner.toLowerCase()))
      : [required('provisioner')]),
    ...validateParameters('parameters', one.parameters),
    ...oneOf('reclaimPolicy', one.reclaimPolicy || undefined, ['Delete', 'Retain']),
    ...oneOf('volumeBindingMode', one.volumeBindingMode, ['Immediate', 'WaitForFirstConsumer']),
    ...validateTopologies('allowedTopologies', one.allowedTopologies ?? []),
  ],
  validateUpdate: (one, old) => [
    ...keeps(one, old, ['parameters', 'provisioner', 'reclaimPolicy']),
    ...(one.volumeBindingMode === old.volumeBindingMode
      ? []
      : [invalidValue('volumeBindingMode', one.volumeBindingMode, immutable)]),
  ],
};

const keeps = <T extends object>(now: T, old: T, fields: readonly (keyof T & string)[]): FieldError[] =>
  fields
    .filter((name) => !isSameJson(now[name] ?? undefined, old[name] ?? undefined))
    .map((name) => forbiddenField(name, `updates to ${name} are forbidden.`));

function validateParameters(field: string, parameters: Record<string, string> | undefined): FieldError[] {
  const entries = Object.entries(parameters ?? {});
  if (entries.length > maxParameters) return [tooLong(field, maxParameters)];
  const bytes = entries.reduce(
    (sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  return [
    ...(entries.some(([key]) => key === '') ? [invalidValue(field, '', 'field can not be empty.')] : []),
    ...(bytes > maxParameterBytes ? [tooLong(field, maxParameterBytes)] : []),
  ];
}

/** Terms that say the same are one too many. */
function validateTopologies(field: string, terms: readonly TopologySelectorTerm[]): FieldError[] {
  const seen = new Set<string>();
  return terms.flatMap(({ matchLabelExpressions = [] }, at) => {
    const path = `${field}[${at}].matchLabelExpressions`;
    const keys = new Set<string>();
    const errors = matchLabelExpressions.flatMap(({ key = '', values = [] }, index) => {
      const here = `${path}[${index}]`;
      const isTaken = keys.has(key);
      keys.add(key);
      return [
        ...(values.length === 0 ? [required(`${here}.values`)] : []),
        ...values.flatMap((value, place) =>
          values.indexOf(value) < place ? [duplicate(`${here}.values[${place}]`, value)] : [],
        ),
        ...allInvalid(`${here}.key`, key, labelKeyErrors(key)),
        ...(isTaken ? [duplicate(`${here}.key`, key)] : []),
      ];
    });
    const meaning = JSON.stringify(
      matchLabelExpressions.map(({ key, values = [] }) => [key, [...values].sort()]).sort(),
    );
    if (seen.has(meaning)) errors.push(duplicate(path, ''));
    seen.add(meaning);
    return errors;
  });
}

export const volumeAttributesClassStrategy: Strategy<VolumeAttributesClass> = {
  generation: false,
  validate: ({ driverName, parameters }) => [
    ...validateDriverName('driverName', driverName ?? ''),
    ...(Object.keys(parameters ?? {}).length > 0
      ? validateParameters('parameters', parameters)
      : [required('parameters', 'must contain at least one key/value pair')]),
  ],
  validateUpdate: (one, old) => keeps(one, old, ['driverName', 'parameters']),
};
