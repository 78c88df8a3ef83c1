/** YAML files that may hold secrets: kubeconfigs and our own configuration. */
import { parse, YAMLParseError } from 'yaml';

/** Throws with the name of the file and the line: the parser's own message quotes what stands there. */
export function readYaml(path: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    const line = error instanceof YAMLParseError ? error.linePos?.[0].line : undefined;
    throw new Error(`${path} is not YAML${line === undefined ? '' : `, see line ${line}`}`);
  }
}
