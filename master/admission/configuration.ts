/**
 * 2. The file of `--admission-control-config-file`: an AdmissionConfiguration as kube-apiserver reads it, with what single
 * plugins are configured with, in the file itself or in one beside it. Called by `api.ts`; each plugin checks its own part.
 *
 * Nothing is guessed: an unknown field, or a plugin that takes no configuration, ends the start with its name.
 */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';

/** What is configured of a plugin, by its name; not yet checked. */
export type PluginConfiguration = ReadonlyMap<string, unknown>;

const flag = '--admission-control-config-file';
const versions: readonly unknown[] = ['apiserver.config.k8s.io/v1', 'apiserver.k8s.io/v1alpha1'];

/** Throws an `Error` that names the flag and what is wrong. */
export async function readPluginConfiguration(
  file: string | undefined,
  configurable: readonly string[],
): Promise<PluginConfiguration> {
  const found = new Map<string, unknown>();
  if (file === undefined) return found;
  try {
    for (const plugin of pluginsOf(await readYaml(file))) {
      const { name, path, configuration } = fieldsOf(plugin, 'plugins[]', ['name', 'path', 'configuration']);
      if (typeof name !== 'string' || !configurable.includes(name))
        throw new Error(`${JSON.stringify(name)} takes no configuration; ${configurable.join(', ')} do`);
      if (found.has(name)) throw new Error(`${name} is configured twice`);
      found.set(
        name,
        typeof path === 'string' && path ? await readYaml(resolve(dirname(file), path)) : configuration,
      );
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${flag}: ${file}: ${why}`, { cause: error });
  }
  return found;
}

const readYaml = async (file: string): Promise<unknown> => parse(await readFile(file, 'utf8'));

function pluginsOf(parsed: unknown): readonly unknown[] {
  const { plugins = [] } = documentOf(parsed, 'AdmissionConfiguration', versions, ['plugins']);
  if (!Array.isArray(plugins)) throw new Error('plugins must be a list');
  return plugins;
}

/** The fields of a versioned document of this kind. */
export function documentOf(
  value: unknown,
  kind: string,
  apiVersions: readonly unknown[],
  known: readonly string[],
): Record<string, unknown> {
  const fields = fieldsOf(value, kind, ['apiVersion', 'kind', ...known]);
  if (fields['kind'] !== kind || !apiVersions.includes(fields['apiVersion']))
    throw new Error(`must be of kind ${kind} and apiVersion ${apiVersions.join(' or ')}`);
  return fields;
}

/** The fields of an object, all of them known; none when there is no object at all. */
export function fieldsOf(value: unknown, path: string, known: readonly string[]): Record<string, unknown> {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw new Error(`${path} must be an object`);
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new Error(`${path} has no field ${JSON.stringify(unknown)}; it has ${known.join(', ')}`);
  return { ...value };
}
