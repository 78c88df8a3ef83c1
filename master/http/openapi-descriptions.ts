/**
 * 1. What `kubectl explain` says of a type and its fields. The texts are made by the build and are missing when the source
 * runs without one; documents then say nothing. Called by `openapi.ts`.
 */
import { fileURLToPath } from 'node:url';
import { readIfExists } from '../../src/host/files.js';

/** The text of the type of a model name (`io.k8s.api.core.v1.PodSpec`) and those of its fields. */
export type Describe = (model: string) => readonly [string, Readonly<Record<string, string>>] | undefined;

/** Where the build puts them, beside the compiled `src/api`. */
const path = fileURLToPath(new URL('../../src/api/descriptions.json', import.meta.url));

export const readDescriptions = (): Promise<Buffer | undefined> => readIfExists(path);

/** Names in the texts begin with the version, and with the group before that where two groups share a name. */
export function describer(descriptions: Buffer | undefined): Describe {
  if (!descriptions) return () => undefined;
  const texts = JSON.parse(descriptions.toString()) as Record<string, [string, Record<string, string>]>;
  return (model) => {
    const [group = '', version = '', name = ''] = model.split('.').slice(-3);
    const own = capital(version) + name;
    return texts[capital(group) + own] ?? texts[own];
  };
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
