/**
 * The agent's flags about images, under kubelet's names, checked. Read by `agent/options.ts`.
 */
import { given, numberFlag, parsedFlag, pathFlag, type RawFlags, wrongFlag } from '../../src/host/config.js';

export interface ImageFlags {
  /** Pulls at a time. */
  maxParallelImagePulls: number;
  /** Where credential providers are configured, and where their programs are. */
  credentialProviders: { config: string; binDirectory: string } | undefined;
}

export function imageFlags(raw: RawFlags): ImageFlags {
  const serialize = parsedFlag(raw, 'serialize-image-pulls', parseSwitch, false);
  const flag = 'max-parallel-image-pulls';
  const otherwise = serialize ? 1 : 4;
  const maxParallelImagePulls = numberFlag(raw, flag, { otherwise, from: 1, to: 1000 });
  if (serialize && maxParallelImagePulls > 1)
    throw wrongFlag(
      flag,
      String(maxParallelImagePulls),
      'cannot be more than 1 with --serialize-image-pulls',
    );
  return { maxParallelImagePulls, credentialProviders: providerFlags(raw) };
}

function parseSwitch(text: string): boolean {
  if (text !== 'true' && text !== 'false') throw new Error(`${JSON.stringify(text)} must be true or false`);
  return text === 'true';
}

function providerFlags(raw: RawFlags): ImageFlags['credentialProviders'] {
  const [config, directory] = ['image-credential-provider-config', 'image-credential-provider-bin-dir'];
  const names = [config, directory].filter((name) => given(raw, name) !== undefined);
  const [only] = names;
  if (only === undefined) return undefined;
  if (names.length === 1)
    throw wrongFlag(only, given(raw, only) ?? '', `needs --${only === config ? directory : config} too`);
  return { config: pathFlag(raw, config, ''), binDirectory: pathFlag(raw, directory, '') };
}
