/** The strategy of Secrets. Pure. Values never appear in an error. */
import type { FieldError } from '../../../src/api/errors.js';
import type { Secret } from '../../../src/api/types.js';
import type { Strategy } from '../strategy.js';
import { immutable, invalidValue, required, tooLong } from '../validation/field.js';
import { decodedBytes, maxDataBytes, sum, validateFrozen, validateKeys } from './configmap.js';

export const secretStrategy: Strategy<Secret> = {
  generation: false,
  prepareForUpdate: (_context, secret, old) => ({ ...secret, type: secret.type || old.type }),
  validate: (secret) => {
    const { data = {} } = secret;
    const errors = [...validateKeys('data', data), ...validateType(secret)];
    return sum(data, decodedBytes) > maxDataBytes ? [...errors, tooLong('data', maxDataBytes)] : errors;
  },
  validateUpdate: (now, old) => [
    ...(now.type === old.type ? [] : [invalidValue('type', now.type, immutable)]),
    ...validateFrozen(now, old, ['data']),
  ],
  fields: ({ type }) => ({ type: type ?? '' }),
};

/** Keys that a type of secret must have. */
const keysOf: ReadonlyMap<string, readonly string[]> = new Map([
  ['kubernetes.io/tls', ['tls.crt', 'tls.key']],
  ['kubernetes.io/dockercfg', ['.dockercfg']],
  ['kubernetes.io/dockerconfigjson', ['.dockerconfigjson']],
]);

const serviceAccountName = 'kubernetes.io/service-account.name';

function validateType({ type = '', data = {}, metadata }: Secret): FieldError[] {
  const errors = (keysOf.get(type) ?? [])
    .filter((key) => !Object.hasOwn(data, key))
    .map((key) => required(`data[${key}]`));
  if (type === 'kubernetes.io/ssh-auth' && !data['ssh-privatekey'])
    errors.push(required('data[%s][ssh-privatekey]'));
  if (type === 'kubernetes.io/basic-auth' && !('username' in data) && !('password' in data)) {
    // The paths are those kube-apiserver prints, its placeholder included.
    errors.push(required('data[%s][username]'), required('data[%s][password]'));
  }
  if (type === 'kubernetes.io/service-account-token' && !metadata.annotations?.[serviceAccountName]) {
    errors.push(required(`metadata.annotations[${serviceAccountName}]`));
  }
  if (type.startsWith('kubernetes.io/dockerc')) {
    for (const key of keysOf.get(type) ?? [])
      if (!isJson(data[key]))
        errors.push(invalidValue(`data[${key}]`, '<secret contents redacted>', 'invalid JSON'));
  }
  return errors;
}

/** A JSON object, or null, which is an empty one. */
function isJson(base64: string | undefined): boolean {
  if (base64 === undefined) return true;
  try {
    const value: unknown = JSON.parse(Buffer.from(base64, 'base64').toString());
    return value === null || (typeof value === 'object' && !Array.isArray(value));
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
