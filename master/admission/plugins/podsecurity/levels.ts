/**
 * 2. What a namespace asks of its pods: a level and a version for each of enforce, audit and warn, read from its labels.
 * Pure. A label that cannot be read counts as the strictest level for enforce and as the laxest for audit and warn, as in
 * Kubernetes: nobody gets more rights by a typing error.
 */
import type { FieldError } from '../../../../src/api/errors.js';

export const levels = ['privileged', 'baseline', 'restricted'] as const;
export type Level = (typeof levels)[number];

/** The minor version of v1 whose rules count. */
export type Version = number | 'latest';

export interface LevelVersion {
  level: Level;
  version: Version;
}

export const modes = ['enforce', 'audit', 'warn'] as const;
export type Mode = (typeof modes)[number];
export type Policy = Readonly<Record<Mode, LevelVersion>>;

export const labelPrefix = 'pod-security.kubernetes.io/';
export const levelProblem = `must be one of ${levels.join(', ')}`;
export const versionProblem = 'must be "latest" or "v1.x"';

const privileged: LevelVersion = { level: 'privileged', version: 'latest' };
export const anything: Policy = { enforce: privileged, audit: privileged, warn: privileged };

export const parseLevel = (text: string): Level | undefined => levels.find((level) => level === text);

export function parseVersion(text: string): Version | undefined {
  if (text === 'latest') return text;
  const minor = /^v1\.(0|[1-9]\d{0,8})$/.exec(text)?.[1];
  return minor === undefined ? undefined : Number(minor);
}

/** `restricted:latest`, `baseline:v1.25`. */
export const levelText = ({ level, version }: LevelVersion): string =>
  `${level}:${version === 'latest' ? version : `v1.${version}`}`;

export const isSame = (a: LevelVersion, b: LevelVersion): boolean =>
  a.level === b.level && a.version === b.version;

/** Whether `a` asks for more than `b`. */
export const isStricter = (a: Level, b: Level): boolean => levels.indexOf(a) > levels.indexOf(b);

/** There is always a policy, whatever is wrong with the labels. */
export function policyOf(
  labels: Readonly<Record<string, string>> | undefined,
  defaults: Policy,
): { policy: Policy; errors: FieldError[] } {
  const errors: FieldError[] = [];
  if (!labels) return { policy: defaults, errors };
  const read = <T>(
    label: string,
    parse: (text: string) => T | undefined,
    detail: string,
    wrong: T,
  ): T | undefined => {
    const value = labels[label];
    if (value === undefined) return undefined;
    const parsed = parse(value);
    if (parsed !== undefined) return parsed;
    errors.push({ type: 'Invalid', field: `metadata.labels[${label}]`, value, detail });
    return wrong;
  };
  const of = (mode: Mode): LevelVersion => {
    const label = labelPrefix + mode;
    const wrong = mode === 'enforce' ? 'restricted' : 'privileged';
    return {
      level: read(label, parseLevel, levelProblem, wrong) ?? defaults[mode].level,
      version:
        read<Version>(`${label}-version`, parseVersion, versionProblem, 'latest') ?? defaults[mode].version,
    };
  };
  return { policy: { enforce: of('enforce'), audit: of('audit'), warn: of('warn') }, errors };
}
