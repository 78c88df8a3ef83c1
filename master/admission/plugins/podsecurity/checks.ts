/**
 * 2. The Pod Security Standards as one table, and what a pod violates of a level in a version. Pure.
 *
 * A check of `baseline` counts for `restricted` too, unless one of `restricted` says the same more strictly (`overrides`).
 * Of each check the newest function counts that is not newer than the version asked for; `latest`, and any version that is
 * still to come, means all of the newest.
 */
import { baselineChecks } from './baseline.js';
import { type LevelVersion, levelText, type Version } from './levels.js';
import { restrictedChecks } from './restricted.js';
import type { PodLike } from './subject.js';

export interface Violation {
  /** What is wrong: `hostPort`. */
  reason: string;
  /** Where: `container "a" uses hostPort 80`. */
  detail: string;
}

export type CheckPod = (pod: PodLike) => Violation | undefined;

export interface Check {
  id: string;
  /** Ids of baseline checks that need not be asked as well, in versions that have this one. */
  overrides?: readonly string[];
  /** Oldest first. `since` is the minor version with which it came. */
  versions: readonly { since: number; check: CheckPod }[];
}

const inVersion = ({ versions }: Check, version: Version): CheckPod | undefined =>
  versions.findLast(({ since }) => version === 'latest' || since <= version)?.check;

function checksOf({ level, version }: LevelVersion): readonly CheckPod[] {
  if (level === 'privileged') return [];
  const restricted =
    level === 'restricted' ? restrictedChecks.filter((check) => inVersion(check, version)) : [];
  const overridden = restricted.flatMap(({ overrides = [] }) => overrides);
  return [...baselineChecks.filter(({ id }) => !overridden.includes(id)), ...restricted].flatMap(
    (check) => inVersion(check, version) ?? [],
  );
}

/** Answers in the order in which Kubernetes names violations. The functions of a version are looked up once. */
export function createEvaluator(): (asked: LevelVersion, pod: PodLike) => readonly Violation[] {
  const known = new Map<string, readonly CheckPod[]>();
  return (asked, pod) => {
    const key = levelText(asked);
    let checks = known.get(key);
    if (!checks) {
      checks = checksOf(asked);
      known.set(key, checks);
    }
    return checks.flatMap((check) => check(pod) ?? []);
  };
}

/** `hostPort (container "a" uses hostPort 80), ...`. */
export const describe = (violations: readonly Violation[]): string =>
  violations.map(({ reason, detail }) => `${reason} (${detail})`).join(', ');
