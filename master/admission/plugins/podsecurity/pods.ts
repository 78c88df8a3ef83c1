/**
 * 2. Judges pods, and what pods are made of, by the labels of their namespace: `enforce` refuses pods alone, `audit` notes,
 * `warn` tells. Called by `podsecurity.ts`. Reads the namespace with each request: a label counts from the write that set it.
 */
import { fieldErrorText } from '../../../../src/api/errors.js';
import { namespaces } from '../../../../src/api/kinds.js';
import type { CronJob, Deployment, KubeObject, Pod, PodTemplate } from '../../../../src/api/types.js';
import type { AdmissionRequest } from '../../../registry/admission.js';
import { refused } from '../refusal.js';
import { mattersToSecurity } from './changes.js';
import { describe } from './checks.js';
import { type LevelVersion, levelText, type Mode, modes, type Policy, policyOf } from './levels.js';
import { kindOf, note, type Parts } from './parts.js';
import type { PodLike } from './subject.js';

type Template = { [K in keyof PodLike]?: PodLike[K] | undefined };

const ofWorkload = (object: KubeObject) => (object as Deployment).spec?.template;

/** Where the pod stands in the kinds that make pods. */
const templates: Readonly<Record<string, (object: KubeObject) => Template | undefined>> = {
  '/podtemplates': (object) => (object as PodTemplate).template,
  '/replicationcontrollers': ofWorkload,
  'apps/daemonsets': ofWorkload,
  'apps/deployments': ofWorkload,
  'apps/replicasets': ofWorkload,
  'apps/statefulsets': ofWorkload,
  'batch/cronjobs': (object) => (object as CronJob).spec?.jobTemplate?.spec?.template,
  'batch/jobs': ofWorkload,
};

const podKind = '/pods';

const podKinds: ReadonlySet<string> = new Set([podKind, ...Object.keys(templates)]);
export const makesPods = (kind: string): boolean => podKinds.has(kind);

function podIn(kind: string, object: KubeObject | undefined): PodLike | undefined {
  const { metadata, spec } =
    (object && (kind === podKind ? (object as Pod) : templates[kind]?.(object))) ?? {};
  return spec && { metadata, spec };
}

export function createPodCheck(parts: Parts): (request: AdmissionRequest) => Promise<void> {
  const { client, settings, evaluate, counts } = parts;
  const { defaults, exempt } = settings;

  function isExempt(request: AdmissionRequest, why: string | undefined): boolean {
    if (why === undefined) return false;
    note(request, 'exempt', why);
    counts.exemption(request);
    return true;
  }

  function exemption({ namespace = '', context }: AdmissionRequest): string | undefined {
    if (exempt.namespaces.has(namespace)) return 'namespace';
    return exempt.usernames.has(context.user.name) ? 'user' : undefined;
  }

  function judge(request: AdmissionRequest, policy: Policy, pod: PodLike): void {
    const isPod = kindOf(request.resource) === podKind;
    const answers = new Map<string, string>();
    const problemOf = (asked: LevelVersion): string => {
      const name = levelText(asked);
      const problem = answers.get(name) ?? describe(evaluate(asked, pod));
      answers.set(name, problem);
      return problem;
    };
    const violated = (mode: Mode): string => {
      const problem = problemOf(policy[mode]);
      if (mode === 'enforce' || problem) counts.evaluation(request, mode, policy[mode], problem === '');
      return problem && `PodSecurity ${JSON.stringify(levelText(policy[mode]))}: ${problem}`;
    };
    const refusal = isPod ? violated('enforce') : '';
    if (isPod) note(request, 'enforce-policy', levelText(policy.enforce));
    const noted = violated('audit');
    if (noted) note(request, 'audit-violations', `would violate ${noted}`);
    if (refusal) throw refused(request, `violates ${refusal}`);
    const told = violated('warn');
    if (told) request.context.warn(`would violate ${told}`);
  }

  return async (request) => {
    if (isExempt(request, exemption(request))) return;
    const kind = kindOf(request.resource);
    const { metadata } = await client.get(namespaces, { name: request.namespace ?? '' });
    const { policy, errors } = policyOf(metadata.labels, defaults);
    const asking = kind === podKind ? modes : modes.filter((mode) => mode !== 'enforce');
    if (errors.length === 0 && asking.every((mode) => policy[mode].level === 'privileged')) {
      if (kind !== podKind) return;
      note(request, 'enforce-policy', levelText(policy.enforce));
      counts.evaluation(request, 'enforce', policy.enforce, true);
      return;
    }
    const { object, oldObject } = request;
    const pod = podIn(kind, object);
    if (!pod || (kind === podKind && oldObject && !mattersToSecurity(object as Pod, oldObject as Pod)))
      return;
    const { runtimeClassName = '' } = pod.spec;
    if (isExempt(request, exempt.runtimeClasses.has(runtimeClassName) ? 'runtimeClass' : undefined)) return;
    if (errors.length > 0) {
      const problems = errors.map((error) => `${error.field}: ${fieldErrorText(error)}`);
      note(request, 'error', `Failed to parse policy: ${problems.join(', ')}`);
    }
    judge(request, policy, pod);
  };
}
