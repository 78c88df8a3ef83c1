/**
 * Validation of containers and init containers, as kube-apiserver words it. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { dnsLabelErrors, portNameErrors } from '../../../src/api/names.js';
import type { Container, ContainerPort, PodSpec } from '../../../src/api/types.js';
import {
  allInvalid,
  duplicate,
  forbiddenField,
  invalidValue,
  isPort,
  oneOf,
  portRange,
  required,
} from '../validation/field.js';
import { validateEnv } from './environment.js';
import { validateLifecycle, validateProbe } from './probe.js';
import { validateResources } from './quantity.js';
import { validateMounts } from './volume.js';

/** Both lists: names are unique across them. `spec` is the path of the pod spec. */
export function validateContainers(field: string, spec: PodSpec): FieldError[] {
  const names = new Set<string>();
  const errors = (spec.containers ?? []).flatMap((container, index) =>
    validateContainer(`${field}.containers[${index}]`, container, spec, names),
  );
  if (!spec.containers?.length) errors.push(required(`${field}.containers`));
  const initErrors = (spec.initContainers ?? []).flatMap((container, index) => {
    const path = `${field}.initContainers[${index}]`;
    return [...validateContainer(path, container, spec, names), ...validateInitOnly(path, container)];
  });
  return [...errors, ...initErrors, ...validateHostPorts(`${field}.containers`, spec.containers ?? [])];
}

/** `names`: those taken in the pod so far; the container's own is added. */
export function validateContainer(
  path: string,
  container: Container,
  spec: PodSpec,
  names: Set<string>,
): FieldError[] {
  const { name, image } = container;
  const errors: FieldError[] = [];
  if (!name) errors.push(required(`${path}.name`));
  else errors.push(...allInvalid(`${path}.name`, name, dnsLabelErrors(name)));
  if (name && names.has(name)) errors.push(duplicate(`${path}.name`, name));
  names.add(name);
  if (!image) errors.push(required(`${path}.image`));
  else if (image.trim() !== image) {
    errors.push(invalidValue(`${path}.image`, image, 'must not have leading or trailing whitespace'));
  }
  return [
    ...errors,
    ...validateLifecycle(`${path}.lifecycle`, container.lifecycle),
    ...validateProbe(`${path}.livenessProbe`, container.livenessProbe, false),
    ...validateProbe(`${path}.readinessProbe`, container.readinessProbe, true),
    ...validateProbe(`${path}.startupProbe`, container.startupProbe, false),
    ...oneOf(`${path}.terminationMessagePolicy`, container.terminationMessagePolicy, [
      'FallbackToLogsOnError',
      'File',
    ]),
    ...validatePorts(`${path}.ports`, container.ports, spec.hostNetwork === true),
    ...validateEnv(path, container),
    ...validateMounts(path, container, spec.volumes),
    ...oneOf(`${path}.imagePullPolicy`, container.imagePullPolicy, ['Always', 'IfNotPresent', 'Never']),
    ...validateResources(`${path}.resources`, container.resources),
    ...validateSecurity(`${path}.securityContext`, container),
  ];
}

function validateInitOnly(path: string, container: Container): FieldError[] {
  if (container.restartPolicy === 'Always') return [];
  const errors = oneOf(`${path}.restartPolicy`, container.restartPolicy, ['Always', 'Never', 'OnFailure']);
  const detail = 'may not be set for init containers without restartPolicy=Always';
  for (const name of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    if (container[name]) errors.push(forbiddenField(`${path}.${name}`, detail));
  }
  return errors;
}

function validatePorts(
  field: string,
  ports: readonly ContainerPort[] | undefined,
  isHostNetwork: boolean,
): FieldError[] {
  const names = new Set<string>();
  return (ports ?? []).flatMap((port, index) => {
    const path = `${field}[${index}]`;
    const errors: FieldError[] = [];
    if (port.name) {
      const problems = portNameErrors(port.name);
      errors.push(...allInvalid(`${path}.name`, port.name, problems));
      if (problems.length === 0 && names.has(port.name)) errors.push(duplicate(`${path}.name`, port.name));
      names.add(port.name);
    }
    if (!port.containerPort) errors.push(required(`${path}.containerPort`));
    else if (!isPort(port.containerPort))
      errors.push(invalidValue(`${path}.containerPort`, port.containerPort, portRange));
    if (port.hostPort && !isPort(port.hostPort))
      errors.push(invalidValue(`${path}.hostPort`, port.hostPort, portRange));
    if (isHostNetwork && port.hostPort && port.hostPort !== port.containerPort) {
      const detail = 'must match `hostPort` when `hostNetwork` is true';
      errors.push(invalidValue(`${path}.containerPort`, port.containerPort, detail));
    }
    return [...errors, ...oneOf(`${path}.protocol`, port.protocol, ['SCTP', 'TCP', 'UDP'])];
  });
}

/** Two containers of a pod cannot have the same port of the host. */
function validateHostPorts(field: string, containers: readonly Container[]): FieldError[] {
  const taken = new Set<string>();
  return containers.flatMap(({ ports }, container) =>
    (ports ?? []).flatMap(({ hostPort, hostIP = '', protocol = 'TCP' }, index) => {
      if (!hostPort) return [];
      const text = `${protocol}/${hostIP}/${hostPort}`;
      if (taken.has(text)) return [duplicate(`${field}[${container}].ports[${index}].hostPort`, text)];
      taken.add(text);
      return [];
    }),
  );
}

const idRange = 'must be between 0 and 2147483647, inclusive';

const isId = (id: number | undefined): boolean => id === undefined || (id >= 0 && id <= 2147483647);

function validateSecurity(field: string, { securityContext }: Container): FieldError[] {
  if (!securityContext) return [];
  const { allowPrivilegeEscalation, privileged, runAsUser, runAsGroup } = securityContext;
  const errors: FieldError[] = [];
  if (!isId(runAsUser)) errors.push(invalidValue(`${field}.runAsUser`, runAsUser, idRange));
  if (!isId(runAsGroup)) errors.push(invalidValue(`${field}.runAsGroup`, runAsGroup, idRange));
  if (privileged && allowPrivilegeEscalation === false) {
    const detail = 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true';
    errors.push(invalidValue(field, securityContext, detail));
  }
  return errors;
}
