/**
 * Ingresses and IngressClasses as extensions/v1beta1 and networking.k8s.io/v1beta1 wrote them: `serviceName` and
 * `servicePort` beside each other, the default backend as `backend`, paths without a type. Pure.
 */
import type { FieldError } from '../../../src/api/errors.js';
import type {
  Ingress,
  IngressBackend,
  IngressRule,
  IntOrString,
  KubeObject,
  NetworkingV1beta1HTTPIngressPath,
  NetworkingV1beta1Ingress,
  NetworkingV1beta1IngressBackend,
  NetworkingV1beta1IngressRule,
} from '../../../src/api/types.js';

type Old = NetworkingV1beta1Ingress;
type OldBackend = NetworkingV1beta1IngressBackend;

export function ingressToStored(object: KubeObject): KubeObject {
  const old = object as Old;
  const { backend, rules, ...rest } = old.spec ?? {};
  const spec = {
    ...rest,
    ...(backend && { defaultBackend: backendToStored(backend) }),
    ...(rules && { rules: rules.map(ruleToStored) }),
  };
  return { ...old, apiVersion: 'networking.k8s.io/v1', ...(old.spec && { spec }) };
}

const ruleToStored = ({ http, ...rest }: NetworkingV1beta1IngressRule): IngressRule => ({
  ...rest,
  ...(http && { http: { ...http, paths: (http.paths ?? []).map(pathToStored) } }),
});

const pathToStored = ({ backend, pathType, ...rest }: NetworkingV1beta1HTTPIngressPath) => ({
  ...rest,
  pathType: pathType ?? 'ImplementationSpecific',
  backend: backendToStored(backend ?? {}),
});

function backendToStored({ serviceName, servicePort, ...rest }: OldBackend): IngressBackend {
  const hasService = Boolean(serviceName) || (servicePort !== undefined && servicePort !== 0);
  return hasService ? { ...rest, service: { name: serviceName ?? '', port: portOf(servicePort) } } : rest;
}

const portOf = (port: IntOrString | undefined): { name?: string; number?: number } =>
  typeof port === 'string' ? (port === '' ? {} : { name: port }) : port ? { number: port } : {};

export function ingressFromStored(apiVersion: string, object: KubeObject): KubeObject {
  const stored = object as Ingress;
  const { defaultBackend, rules, ...rest } = stored.spec ?? {};
  const spec = {
    ...rest,
    ...(defaultBackend && { backend: backendFromStored(defaultBackend) }),
    ...(rules && { rules: rules.map(ruleFromStored) }),
  };
  return { ...stored, apiVersion, ...(stored.spec && { spec }) } as Old;
}

const ruleFromStored = ({ http, ...rest }: IngressRule): NetworkingV1beta1IngressRule => ({
  ...rest,
  ...(http && {
    http: {
      ...http,
      paths: (http.paths ?? []).map((path) => ({ ...path, backend: backendFromStored(path.backend ?? {}) })),
    },
  }),
});

/** As Kubernetes answers it: a service without a port has port 0. */
const backendFromStored = ({ service, ...rest }: IngressBackend): OldBackend =>
  service
    ? { ...rest, serviceName: service.name, servicePort: service.port?.name || (service.port?.number ?? 0) }
    : rest;

const renamed: readonly [from: RegExp, to: string][] = [
  [/^spec\.defaultBackend/, 'spec.backend'],
  [/(backend)\.service\.name$/, '$1.serviceName'],
  [/(backend)\.service\.port\.(?:name|number)$/, '$1.servicePort'],
];

/** What the old versions never checked stays unchecked in them: names of secrets, and what is behind a wildcard host. */
export function ingressErrors(errors: readonly FieldError[], object: KubeObject): readonly FieldError[] {
  const rules = (object as Ingress).spec?.rules ?? [];
  const isWildcard = (index: string | undefined): boolean =>
    rules[Number(index)]?.host?.includes('*') ?? false;
  return errors
    .filter(({ field }) => !/^spec\.tls\[\d+\]\.secretName$/.test(field))
    .filter(({ field }) => {
      const index = /^spec\.rules\[(\d+)\]\.http/.exec(field)?.[1];
      return index === undefined || !isWildcard(index);
    })
    .map((error) => ({
      ...error,
      field: renamed.reduce((field, [from, to]) => field.replace(from, to), error.field),
      detail: error.detail?.replace('`defaultBackend`', '`backend`'),
    }));
}

/** The same fields under another version. */
export const inVersion =
  (apiVersion: string) =>
  (object: KubeObject): KubeObject => ({ ...object, apiVersion });
