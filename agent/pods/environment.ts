/**
 * The environment of a container: `$(VAR)` expansion, references to the pod's own fields and resources, and the
 * variables of services. Pure; ConfigMaps, Secrets and files come in as looked up by `references`.
 */
import type { Container, EnvFromSource, EnvVar, FileKeySelector, Pod, Service } from '../../src/api/types.js';
import { fieldOf, resourceOf } from './downward.js';
import { parseEnvFile } from './envfile.js';
import { ConfigError } from './needs.js';

/** The data of a ConfigMap or Secret as text; undefined when there is no such object. */
export interface References {
  configMap(name: string): ReadonlyMap<string, string> | undefined;
  secret(name: string): ReadonlyMap<string, string> | undefined;
  /** The text of a file of the pod's volume; undefined when there is no such file. */
  envFile(volume: string, path: string): string | undefined;
}

export interface EnvironmentFacts {
  references: References;
  services: readonly Service[];
  /** The pod's addresses, as far as they are known. */
  ips: readonly string[];
  hostIPs: readonly string[];
  nodeName: string;
  allocatable: Readonly<Record<string, string>>;
}

/**
 * `$(NAME)` becomes the value, `$$(NAME)` the text `$(NAME)`; a name that is not defined is left as it stands.
 */
export const expand = (text: string, env: ReadonlyMap<string, string>): string =>
  text.replace(/\$\$|\$\(([^()]*)\)/g, (match, name: string | undefined) =>
    match === '$$' ? '$' : (env.get(name ?? '') ?? match),
  );

/**
 * Services first, then `envFrom` in order, then `env` in order; the later wins. Throws `ConfigError` for a reference
 * that leads nowhere and is not optional.
 */
export function buildEnvironment(pod: Pod, spec: Container, facts: EnvironmentFacts): Map<string, string> {
  const namespace = pod.metadata.namespace ?? 'default';
  const env = serviceVariables(facts.services, namespace, pod.spec?.enableServiceLinks !== false);
  for (const source of spec.envFrom ?? []) {
    for (const [name, value] of fromSource(source, facts.references)) env.set(name, value);
  }
  for (const variable of spec.env ?? []) {
    const value = resolveVariable(variable, pod, spec, env, facts);
    if (value !== undefined) env.set(variable.name, value);
  }
  return env;
}

function fromSource(source: EnvFromSource, references: References): [string, string][] {
  const { configMapRef, secretRef, prefix = '' } = source;
  const ref = configMapRef ?? secretRef;
  const name = ref?.name ?? '';
  const data = configMapRef ? references.configMap(name) : references.secret(name);
  if (data) return [...data].map(([key, value]) => [`${prefix}${key}`, value]);
  if (ref?.optional) return [];
  throw missing(configMapRef ? 'configmap' : 'secret', name);
}

const missing = (kind: string, name: string): ConfigError => new ConfigError(`${kind} "${name}" not found`);

function resolveVariable(
  variable: EnvVar,
  pod: Pod,
  spec: Container,
  env: ReadonlyMap<string, string>,
  facts: EnvironmentFacts,
): string | undefined {
  const from = variable.valueFrom;
  if (!from) return expand(variable.value ?? '', env);
  if (from.fieldRef) {
    const { apiVersion = 'v1', fieldPath } = from.fieldRef;
    if (apiVersion !== 'v1') throw new ConfigError(`unsupported pod version: ${apiVersion}`);
    return fieldOf(pod, fieldPath, facts);
  }
  if (from.resourceFieldRef) return resourceOf(pod, spec, from.resourceFieldRef, facts.allocatable);
  if (from.fileKeyRef) return fromFile(variable.name, from.fileKeyRef, facts.references);
  const ref = from.configMapKeyRef ?? from.secretKeyRef;
  if (!ref) return undefined;
  const kind = from.configMapKeyRef ? 'configmap' : 'secret';
  const name = ref.name ?? '';
  const namespace = pod.metadata.namespace ?? 'default';
  const data = from.configMapKeyRef ? facts.references.configMap(name) : facts.references.secret(name);
  const value = data?.get(ref.key);
  if (value !== undefined || ref.optional) return value;
  if (!data) throw missing(kind, name);
  const title = kind === 'configmap' ? 'ConfigMap' : 'Secret';
  throw new ConfigError(`couldn't find key ${ref.key} in ${title} ${namespace}/${name}`);
}

/** A file that is there but makes no sense is an error even when the key is optional. */
function fromFile(
  variable: string,
  { volumeName, path, key, optional }: FileKeySelector,
  references: References,
): string | undefined {
  const text = references.envFile(volumeName, path);
  const what = `env ${variable}: fileKeyRef: `;
  let value: string | undefined;
  try {
    value = text === undefined ? undefined : parseEnvFile(text, key);
  } catch (error) {
    throw new ConfigError(`${what}couldn't parse env file ${path} of volume ${volumeName}: ${String(error)}`);
  }
  if (value !== undefined || optional) return value;
  if (text === undefined) throw new ConfigError(`${what}no file ${path} in volume ${volumeName}`);
  throw new ConfigError(`${what}couldn't find key ${key} in file ${path} of volume ${volumeName}`);
}

/** `{NAME}_SERVICE_HOST` and friends; of all services of the namespace, or of `kubernetes` alone. */
export function serviceVariables(
  services: readonly Service[],
  namespace: string,
  hasLinks: boolean,
): Map<string, string> {
  const env = new Map<string, string>();
  const isWanted = ({ metadata }: Service): boolean =>
    (metadata.namespace === 'default' && metadata.name === 'kubernetes') ||
    (hasLinks && metadata.namespace === namespace);
  // The namespace's own service of that name comes last and wins.
  const sorted = services
    .filter(isWanted)
    .toSorted(
      (a, b) => Number(a.metadata.namespace === namespace) - Number(b.metadata.namespace === namespace),
    );
  for (const service of sorted) addService(env, service);
  return env;
}

function addService(env: Map<string, string>, { metadata, spec }: Service): void {
  const host = spec?.clusterIP;
  const [first] = spec?.ports ?? [];
  if (!host || host === 'None' || !first || spec?.type === 'ExternalName') return;
  const prefix = variableName(metadata.name ?? '');
  env.set(`${prefix}_SERVICE_HOST`, host);
  env.set(`${prefix}_SERVICE_PORT`, String(first.port));
  for (const { name, port } of spec.ports ?? []) {
    if (name) env.set(`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port));
  }
  const address = host.includes(':') ? `[${host}]` : host;
  (spec.ports ?? []).forEach(({ port, protocol = 'TCP' }, index) => {
    const url = `${protocol.toLowerCase()}://${address}:${port}`;
    const base = `${prefix}_PORT_${port}_${protocol}`;
    if (index === 0) env.set(`${prefix}_PORT`, url);
    env.set(base, url);
    env.set(`${base}_PROTO`, protocol.toLowerCase());
    env.set(`${base}_PORT`, String(port));
    env.set(`${base}_ADDR`, host);
  });
}

const variableName = (name: string): string => name.toUpperCase().replaceAll('-', '_');
