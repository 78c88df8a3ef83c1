/** Files that people write. Called for configurations and kubeconfigs. */
import { parse } from 'yaml';

/** Throws with the file's name and the first line of what is wrong with it. */
export function parseYaml(text: string, path: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    const [why = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new Error(`${path} is not YAML: ${why.replace(/:$/, '')}`, { cause: error });
  }
}
