/**
 * The security of a container: its own context, completed by the pod's, as the runtime is asked for it. Pure but for
 * `requireSeccompFile`. What cannot be enforced is refused with a `ConfigError`, never left out.
 */
import { realpath, stat } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import type { Container, Pod, SecurityContext } from '../../src/api/types.js';
import { hasCode } from '../../src/host/files.js';
import type { RuntimeFeatures, SecurityProfile, SecuritySpec } from '../runtime/runtime.js';
import { containerField } from './names.js';
import { ConfigError } from './needs.js';

type Profile = NonNullable<SecurityContext['seccompProfile']>;

export interface SecurityFacts {
  /** USER of the image, '' for none. */
  imageUser: string;
  features: RuntimeFeatures;
  seccompDefault: boolean;
  seccompDirectory: string;
}

export function buildSecurity(pod: Pod, spec: Container, facts: SecurityFacts): SecuritySpec {
  const ofPod = pod.spec?.securityContext ?? {};
  const own = spec.securityContext ?? {};
  const user = userOf(own.runAsUser ?? ofPod.runAsUser, own.runAsGroup ?? ofPod.runAsGroup, facts.imageUser);
  const groups = [
    ...(ofPod.supplementalGroups ?? []),
    ...(ofPod.fsGroup === undefined ? [] : [ofPod.fsGroup]),
  ];
  const { add = [], drop = [] } = own.capabilities ?? {};
  const labels = seLinuxLabels(own.seLinuxOptions ?? ofPod.seLinuxOptions);
  const appArmor = appArmorOf(pod, spec, facts.features);
  return {
    ...(own.privileged && { privileged: true }),
    ...(own.readOnlyRootFilesystem && { readOnlyRootFilesystem: true }),
    ...(user && { user }),
    ...(groups.length > 0 && { supplementalGroups: groups }),
    ...(ofPod.supplementalGroupsPolicy === 'Strict' && { strictSupplementalGroups: true }),
    ...(add.length > 0 && { addCapabilities: add }),
    ...(drop.length > 0 && { dropCapabilities: drop }),
    ...(own.allowPrivilegeEscalation === false && { noNewPrivileges: true }),
    ...(labels.length > 0 && { seLinuxLabels: labels }),
    seccomp: seccompOf(pod, spec, facts),
    ...(appArmor && { appArmor }),
    ...(own.procMount === 'Unmasked' && { unmaskedProc: true }),
  };
}

export const seLinuxLabels = (options: SecurityContext['seLinuxOptions']): string[] =>
  Object.entries(options ?? {}).map(([name, value]) => `${name}:${value}`);

/** A group alone does not change who the image says it runs as. */
function userOf(uid: number | undefined, gid: number | undefined, imageUser: string): string | undefined {
  if (gid === undefined) return uid === undefined ? undefined : String(uid);
  return `${uid ?? (imageUser.split(':')[0] || '0')}:${gid}`;
}

/** The profile that counts, and the field it is from. */
function effective(
  pod: Pod,
  spec: Container,
  name: 'seccompProfile' | 'appArmorProfile',
): { profile: Profile; field: string } | undefined {
  const own = spec.securityContext?.[name];
  if (own) return { profile: own, field: containerField(pod, spec.name, `securityContext.${name}`) };
  const annotated = name === 'appArmorProfile' ? annotatedProfile(pod, spec.name) : undefined;
  if (annotated) return annotated;
  const ofPod = pod.spec?.securityContext?.[name];
  return ofPod && { profile: ofPod, field: `spec.securityContext.${name}` };
}

const appArmorAnnotation = 'container.apparmor.security.beta.kubernetes.io/';

/** The form before the field, which static pods still have: `runtime/default`, `unconfined`, `localhost/<profile>`. */
function annotatedProfile(pod: Pod, container: string): { profile: Profile; field: string } | undefined {
  const key = `${appArmorAnnotation}${container}`;
  const value = pod.metadata.annotations?.[key];
  if (!value) return undefined;
  const field = `metadata.annotations[${key}]`;
  if (value === 'runtime/default') return { field, profile: { type: 'RuntimeDefault' } };
  if (value === 'unconfined') return { field, profile: { type: 'Unconfined' } };
  if (!value.startsWith('localhost/'))
    throw new ConfigError(`${field}: invalid AppArmor profile name: ${value}`);
  return { field, profile: { type: 'Localhost', localhostProfile: value.slice('localhost/'.length) } };
}

function seccompOf(pod: Pod, spec: Container, facts: SecurityFacts): SecurityProfile {
  const asked = effective(pod, spec, 'seccompProfile');
  const { seccomp } = facts.features;
  if (!asked) return { type: facts.seccompDefault && seccomp ? 'RuntimeDefault' : 'Unconfined' };
  const { profile, field } = asked;
  if (profile.type === 'Unconfined') return { type: 'Unconfined' };
  if (!seccomp) throw new ConfigError(`${field}: seccomp is not enabled on the host`);
  if (profile.type === 'RuntimeDefault') return { type: 'RuntimeDefault' };
  if (profile.type !== 'Localhost') throw new ConfigError(`${field}.type: unknown type ${profile.type}`);
  const path = normalize(profile.localhostProfile ?? '');
  if (path === '.' || path === '..' || path.startsWith('../') || path.startsWith('/') || path.includes('\0'))
    throw new ConfigError(`${field}.localhostProfile: must be a path below ${facts.seccompDirectory}`);
  return { type: 'Localhost', profile: join(facts.seccompDirectory, path) };
}

function appArmorOf(pod: Pod, spec: Container, features: RuntimeFeatures): SecurityProfile | undefined {
  const asked = effective(pod, spec, 'appArmorProfile');
  if (!asked) return undefined;
  const { profile, field } = asked;
  // Nothing is to be enforced: a host without AppArmor does just that.
  if (profile.type === 'Unconfined') return features.appArmor ? { type: 'Unconfined' } : undefined;
  if (!features.appArmor)
    throw new ConfigError(`${field}: Cannot enforce AppArmor: AppArmor is not enabled on the host`);
  if (profile.type === 'RuntimeDefault') return { type: 'RuntimeDefault' };
  if (profile.type !== 'Localhost' || !profile.localhostProfile)
    throw new ConfigError(`${field}: a profile of type ${profile.type} must have a name`);
  return { type: 'Localhost', profile: profile.localhostProfile };
}

/** A profile that is there, is a file, and is where profiles may be: links lead nowhere else. */
export async function requireSeccompFile(
  pod: Pod,
  spec: Container,
  { seccomp }: SecuritySpec,
  directory: string,
): Promise<void> {
  if (seccomp?.type !== 'Localhost') return;
  const { profile } = seccomp;
  try {
    const [real, root] = await Promise.all([realpath(profile), realpath(directory)]);
    if (real.startsWith(`${root}/`) && (await stat(real)).isFile()) return;
  } catch (error) {
    if (!hasCode(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES')) throw error;
  }
  const field = effective(pod, spec, 'seccompProfile')?.field ?? '';
  throw new ConfigError(`${field}.localhostProfile: cannot load seccomp profile ${JSON.stringify(profile)}`);
}

/** Neither the spec nor the image may lead to user 0 where `runAsNonRoot` says so. */
export function requireNonRoot(pod: Pod, spec: Container, imageUser: string): void {
  const ofPod = pod.spec?.securityContext;
  const isRequired = spec.securityContext?.runAsNonRoot ?? ofPod?.runAsNonRoot;
  if (!isRequired) return;
  const uid = spec.securityContext?.runAsUser ?? ofPod?.runAsUser;
  const { name, namespace, uid: podUid } = pod.metadata;
  const where = `(pod: "${name}_${namespace ?? 'default'}(${podUid})", container: ${spec.name})`;
  if (uid === 0) throw new ConfigError(`container's runAsUser breaks non-root policy ${where}`);
  if (uid !== undefined) return;
  const user = imageUser.split(':')[0] ?? '';
  if (user === '' || user === '0' || user === 'root')
    throw new ConfigError(`container has runAsNonRoot and image will run as root ${where}`);
  if (!/^\d+$/.test(user)) {
    throw new ConfigError(
      `container has runAsNonRoot and image has non-numeric user (${user}), cannot verify user is non-root ${where}`,
    );
  }
}
