/**
 * Lists in flags: labels (`key=value,...`) and taints (`key=value:effect,...`), as kubelet writes them. Pure.
 */
import { labelKeyErrors, labelValueErrors } from '../src/api/names.js';

export interface Taint {
  key: string;
  value?: string;
  effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
}

const partsOf = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

/** Throws with the part that is wrong. */
export function parseKeyValues(text: string): Record<string, string> {
  return Object.fromEntries(partsOf(text).map((part) => keyValue(part, part)));
}

export function parseTaints(text: string): Taint[] {
  return partsOf(text).map((part) => {
    const colon = part.lastIndexOf(':');
    const effect = part.slice(colon + 1);
    if (colon < 0 || !isEffect(effect)) {
      throw new Error(`${JSON.stringify(part)} must end in :NoSchedule, :PreferNoSchedule or :NoExecute`);
    }
    const [key, value] = keyValue(part.slice(0, colon), part);
    return { key, ...(value !== '' && { value }), effect };
  });
}

function keyValue(text: string, part: string): [string, string] {
  const equals = text.indexOf('=');
  const key = equals < 0 ? text : text.slice(0, equals);
  const value = equals < 0 ? '' : text.slice(equals + 1);
  if (labelKeyErrors(key).length + labelValueErrors(value).length > 0)
    throw new Error(`${JSON.stringify(part)} is not key=value`);
  return [key, value];
}

const isEffect = (text: string): text is Taint['effect'] =>
  text === 'NoSchedule' || text === 'PreferNoSchedule' || text === 'NoExecute';
