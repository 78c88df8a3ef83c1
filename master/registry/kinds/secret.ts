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
const keysOf: Record<string, readonly string[]> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
};

const serviceAccountName = 'kubernetes.io/service-account.name';

function validateType({ type = '', data = {}, metadata }: Secret): FieldError[] {
  const errors = (keysOf[type] ?? [])
    .filter((key) => !Object.hasOwn(data, key))
    .map((key) => required(`data[${key}]`));
  if (type === 'kubernetes.io/basic-auth' && !('username' in data) && !('password' in data)) {
    errors.push(required('data[username]'), required('data[password]'));
  }
  if (type === 'kubernetes.io/service-account-token' && !metadata.annotations?.[serviceAccountName]) {
    errors.push(required(`metadata.annotations[${serviceAccountName}]`));
  }
  if (type.startsWith('kubernetes.io/dockerc')) {
    for (const key of keysOf[type] ?? [])
      if (!isJson(data[key]))
        errors.push(invalidValue(`data[${key}]`, '<secret contents redacted>', 'invalid JSON'));
  }
  return errors;
}

function isJson(base64: string | undefined): boolean {
  if (base64 === undefined) return true;
  try {
    JSON.parse(Buffer.from(base64, 'base64').toString());
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
