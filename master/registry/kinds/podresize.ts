/**
 * The `resize` subresource: other requests and limits of cpu and memory for the containers of a pod that runs. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { qosClassOf } from '../../../src/api/qos.js';
import type { Container, Pod, PodSpec, ResourceRequirements } from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import { forbiddenField, invalidValue } from '../validation/field.js';
import { validatePodSpec } from './podspec.js';
import { differences } from './podupdate.js';

/** The old pod with the new resources; with other containers it stays as it was sent, to be refused. */
export function withResources({ spec }: Pod, old: Pod): Pod {
  if (!spec || !old.spec) return old;
  const resized = (
    now: readonly Container[] = [],
    before: readonly Container[] = [],
  ): Container[] | undefined => {
    const isSame = now.length === before.length && now.every(({ name }, i) => name === before[i]?.name);
    if (!isSame) return [...now];
    return before.map((container, index) => ({
      ...container,
      resources: now[index]?.resources,
      resizePolicy: now[index]?.resizePolicy,
    }));
  };
  const { containers, initContainers } = old.spec;
  return {
    ...old,
    spec: {
      ...old.spec,
      containers: resized(spec.containers, containers) ?? [],
      ...(initContainers && { initContainers: resized(spec.initContainers, initContainers) }),
      ...(spec.resources && { resources: spec.resources }),
    },
  };
}

const lists = ['containers', 'initContainers'] as const;
const mirror = 'kubernetes.io/config.mirror';

export function validateResize({ metadata, spec }: Pod, { spec: old, status }: Pod): FieldError[] {
  if (!spec || !old) return [];
  const errors = validatePodSpec('spec', spec);
  if (metadata.annotations?.[mirror] !== undefined)
    errors.push(forbiddenField('', 'static pods cannot be resized'));
  const qos = qosClassOf(spec);
  if (qos !== (status?.qosClass ?? qosClassOf(old)))
    errors.push(invalidValue('spec', qos, 'Pod QOS Class may not change as a result of resizing'));
  const isOrdered = lists.every((list) =>
    isSameJson(
      (spec[list] ?? []).map(({ name }) => name),
      (old[list] ?? []).map(({ name }) => name),
    ),
  );
  if (!isOrdered)
    return [
      ...errors,
      forbiddenField('spec.containers', 'containers may not be renamed or reordered on resize'),
    ];
  return [...errors, ...validateRemoved(spec, old), ...validateScope(spec, old)];
}

/** What a container was promised may change, not go away. */
const validateRemoved = (spec: PodSpec, old: PodSpec): FieldError[] =>
  lists.flatMap((list) =>
    (old[list] ?? []).flatMap(({ resources }, index) =>
      (['requests', 'limits'] as const).flatMap((part) => {
        const now = spec[list]?.[index]?.resources?.[part] ?? {};
        const isGone = Object.keys(resources?.[part] ?? {}).some((name) => now[name] === undefined);
        if (!isGone) return [];
        const path = `spec.${list}[${index}].resources.${part}`;
        return [forbiddenField(path, `resource ${part} cannot be removed`)];
      }),
    ),
  );

/** Only cpu and memory, and of init containers only those that go on running. */
function validateScope(spec: PodSpec, old: PodSpec): FieldError[] {
  const settled = (container: Container, before: Container | undefined, isFixed: boolean): Container => {
    if (isFixed) return container;
    const { requests, limits } = before?.resources ?? {};
    const of = ({ resources }: Container): ResourceRequirements => ({
      ...resources,
      requests: withoutComputed(resources?.requests, requests),
      limits: withoutComputed(resources?.limits, limits),
    });
    return { ...container, resources: of(container), resizePolicy: before?.resizePolicy };
  };
  const munged = {
    ...spec,
    containers: spec.containers.map((one, index) => settled(one, old.containers[index], false)),
    initContainers: spec.initContainers?.map((one, index) =>
      settled(one, old.initContainers?.[index], one.restartPolicy !== 'Always'),
    ),
  };
  const before = {
    ...old,
    containers: old.containers.map((one) => settled(one, one, false)),
    initContainers: old.initContainers?.map((one) => settled(one, one, one.restartPolicy !== 'Always')),
  };
  const changes = differences('spec', munged, before);
  return changes.length === 0
    ? []
    : [forbiddenField('spec', `only cpu and memory resources are mutable\n${changes.join('\n')}`)];
}

/** The amounts with the old cpu and memory in the place of the new. */
function withoutComputed(
  amounts: Record<string, string> | undefined,
  before: Record<string, string> | undefined,
): Record<string, string> {
  const { cpu: _cpu, memory: _memory, ...others } = amounts ?? {};
  const { cpu, memory } = before ?? {};
  return { ...others, ...(cpu !== undefined && { cpu }), ...(memory !== undefined && { memory }) };
}
