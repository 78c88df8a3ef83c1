/**
 * 2. Namespaces: their labels must be readable, and who raises what they enforce is told which of the pods there are would
 * not be let in any more. Called by `podsecurity.ts`. Words and limits as in Kubernetes.
 */
import { invalid } from '../../../../src/api/errors.js';
import { pods } from '../../../../src/api/kinds.js';
import type { AdmissionRequest } from '../../../registry/admission.js';
import { isSameJson } from '../../../registry/codec.js';
import { inOrder, warningsOf } from './existing.js';
import {
  isSame,
  isStricter,
  type LevelVersion,
  labelPrefix,
  levelText,
  modes,
  type Policy,
  policyOf,
} from './levels.js';
import type { Parts } from './parts.js';

/** The write of a namespace must not take for ever. */
const maxPods = 3_000;
const maxPodsMs = 1_000;

export function createNamespaceCheck(parts: Parts): (request: AdmissionRequest) => Promise<void> {
  const { client, clock, evaluate } = parts;
  const { defaults, exempt } = parts.settings;

  async function existing(namespace: string, asked: LevelVersion): Promise<string[]> {
    const end = clock.monotonicMs() + maxPodsMs;
    const { items, metadata } = await client.list(pods, { namespace, limit: maxPods });
    const all = items.filter(({ spec }) => !exempt.runtimeClasses.has(spec?.runtimeClassName ?? ''));
    const looked: Parameters<typeof warningsOf>[0]['pods'][number][] = [];
    for (const { metadata: of, spec } of inOrder(all)) {
      const violations = spec ? evaluate(asked, { metadata: of, spec }) : [];
      looked.push({ name: of.name ?? '', violations });
      if (clock.monotonicMs() > end) break;
    }
    const total = all.length + (metadata.remainingItemCount ?? 0);
    return warningsOf({ namespace, asked, total, pods: looked });
  }

  return async ({ object, oldObject, context }) => {
    const { name = '', labels } = object?.metadata ?? {};
    const { policy, errors } = policyOf(labels, defaults);
    const before = oldObject && policyOf(oldObject.metadata.labels, defaults);
    if (errors.length > 0 && !(before && isSameJson(before.errors, errors)))
      throw invalid({ group: '', kind: 'Namespace', name }, errors);
    if (exempt.namespaces.has(name)) {
      const ignored = asksFor(policy);
      if (
        ignored &&
        isLabelled(labels) &&
        !(before && modes.every((mode) => isSame(policy[mode], before.policy[mode])))
      )
        context.warn(
          `namespace "${name}" is exempt from Pod Security, and the policy (${ignored}) will be ignored`,
        );
      return;
    }
    if (!before || !isRaised(policy.enforce, before.policy.enforce)) return;
    for (const warning of await existing(name, policy.enforce)) context.warn(warning);
  };
}

/** Another version may ask for more even where the level is the same. */
function isRaised(now: LevelVersion, before: LevelVersion): boolean {
  if (now.level === 'privileged' || isSame(now, before)) return false;
  return now.version !== before.version || isStricter(now.level, before.level);
}

const asksFor = (policy: Policy): string =>
  modes
    .filter((mode) => policy[mode].level !== 'privileged')
    .map((mode) => `${mode}=${levelText(policy[mode])}`)
    .join(', ');

const isLabelled = (labels: Readonly<Record<string, string>> = {}): boolean =>
  Object.keys(labels).some((label) => label.startsWith(labelPrefix));
