/**
 * Flags and configuration files. Every flag of `master` and `agent` may stand in the YAML file that `--config` names,
 * under the flag's own name; a flag on the command line wins. Secrets (the join token) belong into the file, which
 * process lists do not show. What the values mean is checked by `parseMasterOptions` and `parseAgentOptions`.
 */
import { readFileSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { checkPrivate, checkTrusted } from '../host/private.js';
import { readYaml } from '../host/yaml.js';
import type { Flag } from './flag.js';

export type RawOptions = Record<string, string>;

const camel = (name: string): string =>
  name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

export function addFlags(command: Command, flags: readonly Flag[]): Command {
  command.option('--config <file>', 'YAML file with these flags as keys');
  for (const flag of flags) {
    command.optionsGroup(flag.group);
    const [text, description] = [`--${flag.name} <${flag.value}>`, flag.description];
    if (flag.repeatable) command.option(text, description, joined);
    else command.option(text, description);
  }
  return command;
}

const joined = (value: string, before: string | undefined): string => (before ? `${before},${value}` : value);

/** File and command line in one: values by camel-case name, all strings. Throws with the file's name on bad input. */
export function loadConfig(given: Record<string, unknown>, flags: readonly Flag[]): RawOptions {
  const file = typeof given['config'] === 'string' ? readConfig(given['config'], flags) : {};
  const own = flags.flatMap(({ name }) => {
    const value = given[camel(name)];
    return typeof value === 'string' ? [[camel(name), value] as const] : [];
  });
  return { ...file, ...Object.fromEntries(own) };
}

/** A file with a token in it is nobody else's to read, any other nobody else's to write. */
function readConfig(path: string, flags: readonly Flag[]): RawOptions {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile())
    throw new Error(`--config: there is no file ${path}`);
  const parsed: unknown = readYaml(path, readFileSync(path, 'utf8')) ?? {};
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new Error(`${path}: must hold "flag: value" lines`);
  if ('token' in parsed) checkPrivate(path);
  else checkTrusted(path);
  const known = new Map(flags.map((flag) => [flag.name, flag]));
  return Object.fromEntries(
    Object.entries(parsed).map(([name, value]) => {
      if (!known.has(name))
        throw new Error(`${path}: unknown setting "${name}"; known are ${[...known.keys()].join(', ')}`);
      if (known.get(name)?.repeatable && Array.isArray(value)) return [camel(name), value.join(',')];
      if (typeof value === 'object') throw new Error(`${path}: "${name}" must be a single value`);
      return [camel(name), String(value)];
    }),
  );
}
