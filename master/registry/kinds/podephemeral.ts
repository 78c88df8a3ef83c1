/**
 * Ephemeral containers, which `kubectl debug` adds to a running pod through the `ephemeralcontainers` subresource: what
 * they may say, and that those that exist stay as they are. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import type { EphemeralContainer, Pod, PodSpec } from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import { forbiddenField, notFoundField } from '../validation/field.js';
import { validateContainer } from './container.js';
import { differences } from './podupdate.js';

/** The old pod with the new ephemeral containers: nothing else is written this way. */
export const withEphemeralContainers = ({ spec }: Pod, old: Pod): Pod =>
  old.spec ? { ...old, spec: { ...old.spec, ephemeralContainers: spec?.ephemeralContainers ?? [] } } : old;

const field = 'spec.ephemeralContainers';
const mirror = 'kubernetes.io/config.mirror';

export function validateEphemeralUpdate({ metadata, spec }: Pod, old: Pod): FieldError[] {
  if (!spec) return [];
  const errors = validateEphemeralContainers(spec);
  if (metadata.annotations?.[mirror] !== undefined)
    errors.push(forbiddenField('', 'static pods do not support ephemeral containers'));
  for (const before of old.spec?.ephemeralContainers ?? []) {
    const now = spec.ephemeralContainers?.find(({ name }) => name === before.name);
    const which = `existing ephemeral containers ${JSON.stringify(before.name)}`;
    if (!now) errors.push(forbiddenField(field, `${which} may not be removed\n`));
    else if (!isSameJson(now, before)) {
      const changes = differences('', now, before).join('\n');
      errors.push(forbiddenField(field, `${which} may not be changed\n${changes}`));
    }
  }
  return errors;
}

/** They come and go without the pod: what the pod relies on is no business of theirs. */
const refused = [
  'ports',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
  'livenessProbe',
  'readinessProbe',
  'startupProbe',
  'lifecycle',
] as const;

const notHere = 'cannot be set for an Ephemeral Container';

function validateEphemeralContainers(spec: PodSpec): FieldError[] {
  const targets = new Set([...spec.containers, ...(spec.initContainers ?? [])].map(({ name }) => name));
  const names = new Set(targets);
  return (spec.ephemeralContainers ?? []).flatMap((container, index) => {
    const path = `${field}[${index}]`;
    const { targetContainerName: target } = container;
    const errors = validateContainer(path, container, spec, names);
    if (target && !targets.has(target)) errors.push(notFoundField(`${path}.targetContainerName`, target));
    return [...errors, ...validateAllowed(path, container)];
  });
}

function validateAllowed(path: string, container: EphemeralContainer): FieldError[] {
  const isSet = (value: unknown): boolean =>
    value !== undefined && (typeof value !== 'object' || Object.keys(value ?? {}).length > 0);
  const mounts = (container.volumeMounts ?? []).flatMap((mount, index) =>
    (['subPath', 'subPathExpr'] as const).flatMap((name) =>
      mount[name] ? [forbiddenField(`${path}.volumeMounts[${index}].${name}`, notHere)] : [],
    ),
  );
  return [
    ...refused.flatMap((name) =>
      isSet(container[name]) ? [forbiddenField(`${path}.${name}`, notHere)] : [],
    ),
    ...mounts,
  ];
}
