/** Forms of flags that the authentication flags have in common. Pure. */
import { given, pathFlag, type RawFlags, wrongFlag } from '../../../src/host/config.js';

/** What a flag that may be repeated, or hold several values with commas between, says. */
export function listFlag(raw: RawFlags, flag: string): string[] | undefined {
  const values = given(raw, flag)
    ?.split(',')
    .map((value) => value.trim())
    .filter(Boolean);
  return values?.length ? values : undefined;
}

export function requireHttps(flag: string, value: string): void {
  if (!URL.canParse(value) || new URL(value).protocol !== 'https:')
    throw wrongFlag(flag, value, 'must be an https:// URL');
}

export const optionalPath = (raw: RawFlags, flag: string): string | undefined =>
  given(raw, flag) === undefined ? undefined : pathFlag(raw, flag, '');

export function booleanFlag(raw: RawFlags, flag: string, otherwise: boolean): boolean {
  const value = given(raw, flag) ?? String(otherwise);
  if (value !== 'true' && value !== 'false') throw wrongFlag(flag, value, 'must be true or false');
  return value === 'true';
}
