/** The flags of encryption at rest. Pure. */
import { given, parsedFlag, pathFlag, type RawFlags } from '../../src/host/config.js';

export interface EncryptionOptions {
  /** An EncryptionConfiguration; the master's own key file when absent. */
  configFile: string | undefined;
  /** Off: what is encrypted is read, and written clear from then on. */
  encrypt: boolean;
}

export function encryptionOptions(raw: RawFlags): EncryptionOptions {
  const file = given(raw, 'encryption-provider-config');
  return {
    configFile: file && pathFlag(raw, 'encryption-provider-config', file),
    encrypt: parsedFlag(raw, 'encrypt-secrets', parseSwitch, true),
  };
}

function parseSwitch(text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw new Error(`${JSON.stringify(text)} is neither true nor false`);
}
