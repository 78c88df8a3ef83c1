/**
 * 2. The checks of the baseline level: what would let a pod out of its container. Pure. Fields, allowed values and words are
 * those of the Pod Security Standards; sorted by id, which is the order of messages.
 */
import type { LifecycleHandler, Probe, SELinuxOptions } from '../../../../src/api/types.js';
import type { Check, CheckPod, Violation } from './checks.js';
import { seccompBaseline, seccompBaselineByAnnotation } from './seccomp.js';
import {
  containersOf,
  counted,
  namesWhere,
  type PodLike,
  plural,
  quoted,
  setters,
  sorted,
} from './subject.js';

const defaultCapabilities: readonly string[] = [
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
];

const firstSysctls: readonly string[] = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_syncookies',
];
const sysctls27 = [...firstSysctls, 'net.ipv4.ip_local_reserved_ports'];
const sysctls29 = [
  ...sysctls27,
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
];
const sysctls32 = [...sysctls29, 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem'];

const firstSelinuxTypes: readonly string[] = ['', 'container_t', 'container_init_t', 'container_kvm_t'];
const selinuxTypes31 = [...firstSelinuxTypes, 'container_engine_t'];

const appArmorAnnotation = 'container.apparmor.security.beta.kubernetes.io/';

function appArmorProfile(pod: PodLike): Violation | undefined {
  const isAllowed = (type: string | undefined): boolean =>
    type === undefined || type === 'RuntimeDefault' || type === 'Localhost';
  const ofPod = pod.spec.securityContext?.appArmorProfile?.type;
  const bad = containersOf(pod).filter((one) => !isAllowed(one.securityContext?.appArmorProfile?.type));
  const annotations = Object.entries(pod.metadata?.annotations ?? {})
    .filter(([key, value]) => key.startsWith(appArmorAnnotation) && !isAppArmorText(value))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  const types = bad.flatMap((one) => one.securityContext?.appArmorProfile?.type ?? []);
  const values = [...sorted([...(isAllowed(ofPod) ? [] : [ofPod ?? '']), ...types]), ...sorted(annotations)];
  if (values.length === 0) return undefined;
  const who = [
    setters(
      !isAllowed(ofPod),
      bad.map(({ name }) => name),
    ),
    annotations.length > 0 ? plural('annotation', annotations) : '',
  ];
  return {
    reason: plural('forbidden AppArmor profile', values),
    detail: `${who.filter(Boolean).join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
  };
}

const isAppArmorText = (value: string): boolean =>
  value === '' || value === 'runtime/default' || value.startsWith('localhost/');

function capabilities(pod: PodLike): Violation | undefined {
  const foreign = containersOf(pod).map(({ name, securityContext }) => ({
    name,
    added: (securityContext?.capabilities?.add ?? []).filter((one) => !defaultCapabilities.includes(one)),
  }));
  const bad = foreign.filter(({ added }) => added.length > 0);
  if (bad.length === 0) return undefined;
  const who = counted(
    'container',
    bad.map(({ name }) => name),
  );
  const added = quoted(sorted(bad.flatMap((one) => one.added)));
  return {
    reason: 'non-default capabilities',
    detail: `${who} must not include ${added} in securityContext.capabilities.add`,
  };
}

function hostNamespaces({ spec }: PodLike): Violation | undefined {
  const shared = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field]);
  if (shared.length === 0) return undefined;
  return { reason: 'host namespaces', detail: shared.map((field) => `${field}=true`).join(', ') };
}

function hostPathVolumes({ spec }: PodLike): Violation | undefined {
  const names = (spec.volumes ?? []).filter(({ hostPath }) => hostPath).map(({ name }) => name);
  return names.length === 0 ? undefined : { reason: 'hostPath volumes', detail: counted('volume', names) };
}

function hostPorts(pod: PodLike): Violation | undefined {
  const portsOf = ({ ports = [] }: { ports?: { hostPort?: number | undefined }[] | undefined }): string[] =>
    ports.flatMap(({ hostPort }) => (hostPort ? [String(hostPort)] : []));
  const bad = containersOf(pod).filter((one) => portsOf(one).length > 0);
  if (bad.length === 0) return undefined;
  const ports = sorted(bad.flatMap(portsOf));
  const who = counted(
    'container',
    bad.map(({ name }) => name),
  );
  const uses = bad.length === 1 ? 'uses' : 'use';
  return { reason: 'hostPort', detail: `${who} ${uses} ${plural('hostPort', ports)} ${ports.join(', ')}` };
}

function hostProbes(pod: PodLike): Violation | undefined {
  const hostsOf = (handler: Probe | LifecycleHandler | undefined): string[] =>
    [handler?.httpGet?.host, handler?.tcpSocket?.host].flatMap((host) => host || []);
  const bad = containersOf(pod)
    .map(({ name, livenessProbe, readinessProbe, startupProbe, lifecycle }) => ({
      name,
      hosts: [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop].flatMap(
        hostsOf,
      ),
    }))
    .filter(({ hosts }) => hosts.length > 0);
  if (bad.length === 0) return undefined;
  const names = sorted(bad.map(({ name }) => name));
  const hosts = sorted(bad.flatMap((one) => one.hosts));
  const uses = names.length === 1 ? 'uses' : 'use';
  return {
    reason: 'probe or lifecycle host',
    detail: `${counted('container', names)} ${uses} ${counted('probe or lifecycle host', hosts)}`,
  };
}

function privileged(pod: PodLike): Violation | undefined {
  const names = namesWhere(pod, ({ securityContext }) => securityContext?.privileged === true);
  if (names.length === 0) return undefined;
  return {
    reason: 'privileged',
    detail: `${counted('container', names)} must not set securityContext.privileged=true`,
  };
}

/** Of both levels: the stricter one has no exception for pods in a user namespace. */
export function procMount(pod: PodLike): Violation | undefined {
  const bad = containersOf(pod).filter(
    ({ securityContext }) => (securityContext?.procMount ?? 'Default') !== 'Default',
  );
  if (bad.length === 0) return undefined;
  const who = counted(
    'container',
    bad.map(({ name }) => name),
  );
  const types = sorted(bad.flatMap(({ securityContext }) => securityContext?.procMount ?? []));
  return { reason: 'procMount', detail: `${who} must not set securityContext.procMount to ${quoted(types)}` };
}

/** In a user namespace of its own a pod is nobody on the host: some rules are not needed there. */
export const unlessInUserNamespace =
  (check: CheckPod): CheckPod =>
  (pod) =>
    pod.spec.hostUsers === false ? undefined : check(pod);

function selinuxOptions(types: readonly string[]): CheckPod {
  const isAllowed = (options: SELinuxOptions | undefined): boolean =>
    !options || (types.includes(options.type ?? '') && !options.user && !options.role);
  return (pod) => {
    const ofPod = pod.spec.securityContext?.seLinuxOptions;
    const bad = containersOf(pod).filter(
      ({ securityContext }) => !isAllowed(securityContext?.seLinuxOptions),
    );
    if (isAllowed(ofPod) && bad.length === 0) return undefined;
    const given = [ofPod, ...bad.map(({ securityContext }) => securityContext?.seLinuxOptions)].flatMap(
      (options) => options ?? [],
    );
    const badTypes = sorted(given.map(({ type = '' }) => type).filter((type) => !types.includes(type)));
    const wrong = [
      badTypes.length > 0 ? counted('type', badTypes) : '',
      given.some(({ user }) => user) ? 'user may not be set' : '',
      given.some(({ role }) => role) ? 'role may not be set' : '',
    ];
    const who = setters(
      !isAllowed(ofPod),
      bad.map(({ name }) => name),
    );
    return {
      reason: 'seLinuxOptions',
      detail: `${who} set forbidden securityContext.seLinuxOptions: ${wrong.filter(Boolean).join('; ')}`,
    };
  };
}

const sysctls =
  (allowed: readonly string[]): CheckPod =>
  ({ spec }) => {
    const names = (spec.securityContext?.sysctls ?? []).map(({ name }) => name);
    const bad = names.filter((name) => !allowed.includes(name));
    return bad.length === 0 ? undefined : { reason: 'forbidden sysctls', detail: bad.join(', ') };
  };

function windowsHostProcess(pod: PodLike): Violation | undefined {
  const who = setters(
    pod.spec.securityContext?.windowsOptions?.hostProcess === true,
    namesWhere(pod, ({ securityContext }) => securityContext?.windowsOptions?.hostProcess === true),
  );
  if (who === '') return undefined;
  return {
    reason: 'hostProcess',
    detail: `${who} must not set securityContext.windowsOptions.hostProcess=true`,
  };
}

export const baselineChecks: readonly Check[] = [
  { id: 'appArmorProfile', versions: [{ since: 0, check: appArmorProfile }] },
  { id: 'capabilities_baseline', versions: [{ since: 0, check: capabilities }] },
  { id: 'hostNamespaces', versions: [{ since: 0, check: hostNamespaces }] },
  { id: 'hostPathVolumes', versions: [{ since: 0, check: hostPathVolumes }] },
  { id: 'hostPorts', versions: [{ since: 0, check: hostPorts }] },
  { id: 'hostProbesAndHostLifecycle', versions: [{ since: 34, check: hostProbes }] },
  { id: 'privileged', versions: [{ since: 0, check: privileged }] },
  {
    id: 'procMount',
    versions: [
      { since: 0, check: procMount },
      { since: 35, check: unlessInUserNamespace(procMount) },
    ],
  },
  {
    id: 'seLinuxOptions',
    versions: [
      { since: 0, check: selinuxOptions(firstSelinuxTypes) },
      { since: 31, check: selinuxOptions(selinuxTypes31) },
    ],
  },
  {
    id: 'seccompProfile_baseline',
    versions: [
      { since: 0, check: seccompBaselineByAnnotation },
      { since: 19, check: seccompBaseline },
    ],
  },
  {
    id: 'sysctls',
    versions: [
      { since: 0, check: sysctls(firstSysctls) },
      { since: 27, check: sysctls(sysctls27) },
      { since: 29, check: sysctls(sysctls29) },
      { since: 32, check: sysctls(sysctls32) },
    ],
  },
  { id: 'windowsHostProcess', versions: [{ since: 0, check: windowsHostProcess }] },
];
