/**
 * Validation of probes and lifecycle hooks, as kube-apiserver words it. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import { portNameErrors } from '../../../src/api/names.js';
import type {
  HTTPGetAction,
  IntOrString,
  Lifecycle,
  LifecycleHandler,
  Probe,
} from '../../../src/api/types.js';
import {
  allInvalid,
  forbiddenField,
  invalidValue,
  isPort,
  nonNegative,
  oneOf,
  portRange,
  required,
} from '../validation/field.js';

type Handler = LifecycleHandler & Pick<Probe, 'grpc'>;

const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const;

export function validatePort(field: string, port: IntOrString | undefined): FieldError[] {
  if (typeof port === 'string') return allInvalid(field, port, portNameErrors(port));
  return isPort(port ?? 0) ? [] : [invalidValue(field, port ?? 0, portRange)];
}

function validateHandler(field: string, handler: Handler): FieldError[] {
  const present = handlers.filter((name) => handler[name] !== undefined);
  if (present.length === 0) return [required(field, 'must specify a handler type')];
  const extra = present
    .slice(1)
    .map((name) => forbiddenField(`${field}.${name}`, 'may not specify more than 1 handler type'));
  const [first] = present;
  switch (first) {
    case 'exec':
      return [...extra, ...(handler.exec?.command?.length ? [] : [required(`${field}.exec.command`)])];
    case 'httpGet':
      return [...extra, ...(handler.httpGet ? validateHttpGet(`${field}.httpGet`, handler.httpGet) : [])];
    case 'tcpSocket':
      return [...extra, ...validatePort(`${field}.tcpSocket.port`, handler.tcpSocket?.port)];
    case 'grpc':
      return [...extra, ...validatePort(`${field}.grpc.port`, handler.grpc?.port)];
    default:
      return extra;
  }
}

function validateHttpGet(field: string, { path, port, scheme, httpHeaders }: HTTPGetAction): FieldError[] {
  return [
    ...(path ? [] : [required(`${field}.path`)]),
    ...validatePort(`${field}.port`, port),
    ...oneOf(`${field}.scheme`, scheme, ['HTTP', 'HTTPS']),
    ...(httpHeaders ?? []).flatMap(({ name }, index) =>
      /^[-A-Za-z0-9]+$/.test(name)
        ? []
        : [invalidValue(`${field}.httpHeaders[${index}].name`, name, headerText)],
    ),
  ];
}

const headerText =
  "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";

export function validateProbe(field: string, probe: Probe | undefined, isReadiness: boolean): FieldError[] {
  if (!probe) return [];
  const numbers = [
    'initialDelaySeconds',
    'timeoutSeconds',
    'periodSeconds',
    'successThreshold',
    'failureThreshold',
  ] as const;
  const errors = [
    ...validateHandler(field, probe),
    ...numbers.flatMap((name) => nonNegative(`${field}.${name}`, probe[name])),
  ];
  const { successThreshold, terminationGracePeriodSeconds: grace } = probe;
  if (!isReadiness && successThreshold !== undefined && successThreshold !== 1) {
    errors.push(invalidValue(`${field}.successThreshold`, successThreshold, 'must be 1'));
  }
  if (grace === undefined) return errors;
  if (isReadiness)
    errors.push(
      invalidValue(`${field}.terminationGracePeriodSeconds`, grace, 'must not be set for readinessProbes'),
    );
  else if (grace <= 0)
    errors.push(invalidValue(`${field}.terminationGracePeriodSeconds`, grace, 'must be greater than 0'));
  return errors;
}

export function validateLifecycle(field: string, lifecycle: Lifecycle | undefined): FieldError[] {
  const { postStart, preStop } = lifecycle ?? {};
  return [
    ...(postStart ? validateHandler(`${field}.postStart`, postStart) : []),
    ...(preStop ? validateHandler(`${field}.preStop`, preStop) : []),
  ];
}
