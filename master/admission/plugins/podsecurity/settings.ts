/**
 * 2. What the administrator says about all namespaces: a PodSecurityConfiguration with the levels of namespaces without
 * labels, and who is left alone. Pure.
 */
import { documentOf, fieldsOf } from '../../configuration.js';
import {
  anything,
  type Level,
  type LevelVersion,
  levelProblem,
  type Mode,
  modes,
  type Policy,
  parseLevel,
  parseVersion,
  type Version,
  versionProblem,
} from './levels.js';

export interface Settings {
  defaults: Policy;
  exempt: {
    usernames: ReadonlySet<string>;
    runtimeClasses: ReadonlySet<string>;
    namespaces: ReadonlySet<string>;
  };
}

const group = 'pod-security.admission.config.k8s.io';
const apiVersions = ['v1', 'v1beta1', 'v1alpha1'].map((version) => `${group}/${version}`);
const exemptions = ['usernames', 'runtimeClasses', 'namespaces'] as const;

/** `given` undefined: nobody asks anything of pods without labels. Throws an `Error` that names the field. */
export function settingsOf(given: unknown): Settings {
  if (given === undefined || given === null) return { defaults: anything, exempt: exempted({}) };
  const fields = documentOf(given, 'PodSecurityConfiguration', apiVersions, ['defaults', 'exemptions']);
  const named = modes.flatMap((mode) => [mode, `${mode}-version`]);
  const defaults = fieldsOf(fields['defaults'], 'defaults', named);
  const of = (mode: Mode): LevelVersion => ({
    level: read<Level>(defaults, mode, parseLevel, levelProblem) ?? 'privileged',
    version: read<Version>(defaults, `${mode}-version`, parseVersion, versionProblem) ?? 'latest',
  });
  return {
    defaults: { enforce: of('enforce'), audit: of('audit'), warn: of('warn') },
    exempt: exempted(fieldsOf(fields['exemptions'], 'exemptions', exemptions)),
  };
}

function read<T>(
  fields: Readonly<Record<string, unknown>>,
  name: string,
  parse: (text: string) => T | undefined,
  problem: string,
): T | undefined {
  const value = fields[name];
  if (value === undefined || value === null || value === '') return undefined;
  const parsed = typeof value === 'string' ? parse(value) : undefined;
  if (parsed === undefined) throw new Error(`defaults.${name}: ${JSON.stringify(value)} ${problem}`);
  return parsed;
}

function exempted(fields: Readonly<Record<string, unknown>>): Settings['exempt'] {
  const [usernames, runtimeClasses, namespaces] = exemptions.map((name) => {
    const list = fields[name] ?? [];
    const isRight = Array.isArray(list) && list.every((one) => typeof one === 'string' && one !== '');
    if (!isRight) throw new Error(`exemptions.${name} must be a list of names`);
    return new Set<string>(list);
  });
  return {
    usernames: usernames ?? new Set(),
    runtimeClasses: runtimeClasses ?? new Set(),
    namespaces: namespaces ?? new Set(),
  };
}
