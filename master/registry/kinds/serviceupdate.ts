/** What an update of a Service may leave out and gets back, and what it may not change. Pure. */
import type { FieldError } from '../../../src/api/errors.js';
import type { Service, ServicePort, ServiceSpec } from '../../../src/api/types.js';
import { isSameJson } from '../codec.js';
import { forbiddenField, immutable, invalidValue } from '../validation/field.js';

export const isExternal = (spec: ServiceSpec | undefined): boolean =>
  spec?.type === 'NodePort' || spec?.type === 'LoadBalancer';

export const isHeadless = (spec: ServiceSpec | undefined): boolean => spec?.clusterIP === 'None';

/** A balancer that sends to local pods only asks every node whether it has any. */
export const needsHealthCheck = (spec: ServiceSpec | undefined): boolean =>
  spec?.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local';

const hasClusterIp = (spec: ServiceSpec | undefined): boolean => spec?.type !== 'ExternalName';
const hasNodePorts = (spec: ServiceSpec | undefined): boolean =>
  spec?.type === 'NodePort' ||
  (spec?.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);

/** A writer who leaves out the address or a node port keeps it; one who changes the type loses what the new one has not. */
export function keepAllocated(service: Service, old: Service): Service {
  const spec = { ...service.spec };
  if (hasClusterIp(spec)) keepAddress(spec, old.spec ?? {});
  else if (hasClusterIp(old.spec)) dropAddress(spec, old.spec ?? {});
  spec.ports = spec.ports?.map((port) => keepNodePort(port, spec, old.spec ?? {}));
  if (!isReachable(spec)) dropExternal(spec, old.spec ?? {});
  if (needsHealthCheck(spec) && needsHealthCheck(old.spec))
    spec.healthCheckNodePort ||= old.spec?.healthCheckNodePort;
  else if (!needsHealthCheck(spec) && spec.healthCheckNodePort === old.spec?.healthCheckNodePort)
    delete spec.healthCheckNodePort;
  return { ...service, spec };
}

/** From outside the cluster, so that a policy for such traffic means something. */
export const isReachable = (spec: ServiceSpec): boolean =>
  hasNodePorts(spec) || spec.type === 'LoadBalancer' || (spec.externalIPs ?? []).length > 0;

/** What only a reachable Service has goes with the type, unless the writer sets it anew (an error). */
function dropExternal(spec: ServiceSpec, old: ServiceSpec): void {
  if (spec.externalTrafficPolicy === old.externalTrafficPolicy) delete spec.externalTrafficPolicy;
  if (spec.healthCheckNodePort === old.healthCheckNodePort) delete spec.healthCheckNodePort;
  if (spec.allocateLoadBalancerNodePorts === old.allocateLoadBalancerNodePorts)
    delete spec.allocateLoadBalancerNodePorts;
  if (spec.loadBalancerClass === old.loadBalancerClass) delete spec.loadBalancerClass;
}

function keepAddress(spec: ServiceSpec, old: ServiceSpec): void {
  if (!hasClusterIp(old)) return;
  const isNew = spec.clusterIP && spec.clusterIP !== old.clusterIP;
  if (!spec.clusterIP) spec.clusterIP = spec.clusterIPs?.[0] ?? old.clusterIP;
  if (!spec.clusterIPs || (isNew && isSameJson(spec.clusterIPs, old.clusterIPs))) {
    spec.clusterIPs = spec.clusterIP ? [spec.clusterIP] : undefined;
  }
  spec.ipFamilies ??= old.ipFamilies;
  spec.ipFamilyPolicy ??= old.ipFamilyPolicy;
}

/** The address of a Service that becomes an ExternalName goes, unless the writer insists on another (an error). */
function dropAddress(spec: ServiceSpec, old: ServiceSpec): void {
  if (spec.clusterIP === old.clusterIP) delete spec.clusterIP;
  if (isSameJson(spec.clusterIPs, old.clusterIPs)) delete spec.clusterIPs;
  if (isSameJson(spec.ipFamilies, old.ipFamilies)) delete spec.ipFamilies;
  if (spec.ipFamilyPolicy === old.ipFamilyPolicy) delete spec.ipFamilyPolicy;
}

function keepNodePort(port: ServicePort, spec: ServiceSpec, old: ServiceSpec): ServicePort {
  const before = old.ports?.find((one) => one.port === port.port && one.protocol === port.protocol);
  if (hasNodePorts(spec)) {
    const nodePort = port.nodePort || (hasNodePorts(old) ? before?.nodePort : undefined);
    return nodePort ? { ...port, nodePort } : port;
  }
  if (!port.nodePort || port.nodePort !== before?.nodePort) return port;
  const { nodePort: _dropped, ...rest } = port;
  return rest;
}

export function validateAddressUpdate(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
  if (!hasClusterIp(spec) || !hasClusterIp(old)) return [];
  const before = old.clusterIPs?.[0];
  if (!before || spec.clusterIPs?.[0] === before) return [];
  return [invalidValue('spec.clusterIPs[0]', spec.clusterIPs ?? [], 'may not change once set')];
}

/** What a balancer outside was set up with stays while there is one. */
export function validateExternalUpdate(spec: ServiceSpec, old: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  const stays = spec.type === 'LoadBalancer' && old.type === 'LoadBalancer';
  if (stays && spec.loadBalancerClass !== old.loadBalancerClass) {
    const value = spec.loadBalancerClass ?? null;
    errors.push(invalidValue('spec.loadBalancerClass', value, 'may not change once set'));
  }
  const isChecked = needsHealthCheck(spec) && needsHealthCheck(old) && old.healthCheckNodePort;
  if (isChecked && spec.healthCheckNodePort !== old.healthCheckNodePort)
    errors.push(forbiddenField('spec.healthCheckNodePort', immutable));
  return errors;
}
