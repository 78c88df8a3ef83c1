/**
 * Which Secrets a pod may use when its account has the annotation `kubernetes.io/enforce-mountable-secrets: "true"`:
 * those that the account lists. Pure. Used by `serviceaccount.ts`.
 */
import type { Container, PodSpec, ServiceAccount } from '../../../src/api/types.js';

const annotation = 'kubernetes.io/enforce-mountable-secrets';
/** What Go reads as true. */
const truths = ['1', 't', 'T', 'true', 'TRUE', 'True'];

/** What is wrong, in the words of kube-apiserver. `isDebug`: only the ephemeral containers are new. */
export function forbiddenSecret(
  spec: PodSpec,
  account: ServiceAccount,
  isDebug: boolean,
): string | undefined {
  if (!truths.includes(account.metadata.annotations?.[annotation] ?? '')) return undefined;
  const mountable = new Set((account.secrets ?? []).map(({ name }) => name));
  const because = `is not allowed because service account ${account.metadata.name} does not reference that`;
  const uses = isDebug
    ? inContainers('ephemeral container', spec.ephemeralContainers)
    : [
        ...volumeSecrets(spec),
        ...inContainers('init container', spec.initContainers),
        ...inContainers('container', spec.containers),
      ];
  const use = uses.find(({ secret }) => !mountable.has(secret));
  if (use) return `${use.what} ${because} secret`;
  if (isDebug) return undefined;
  const pullable = new Set((account.imagePullSecrets ?? []).map(({ name }) => name));
  const given = spec.imagePullSecrets ?? [];
  const index = given.findIndex(({ name }) => !pullable.has(name));
  return index < 0
    ? undefined
    : `imagePullSecrets[${index}].name="${given[index]?.name ?? ''}" ${because} imagePullSecret`;
}

interface Use {
  secret: string;
  what: string;
}

const volumeSecrets = ({ volumes = [] }: PodSpec): Use[] =>
  volumes.flatMap(({ secret }) => {
    const name = secret?.secretName ?? '';
    return secret ? [{ secret: name, what: `volume with secret.secretName="${name}"` }] : [];
  });

function inContainers(
  kind: string,
  containers: readonly Pick<Container, 'name' | 'env' | 'envFrom'>[] = [],
): Use[] {
  return containers.flatMap((container) => {
    const use = (secret: string, how: string): Use => ({
      secret,
      what: `${kind} ${container.name} with ${how} referencing secret.secretName="${secret}"`,
    });
    const single = (container.env ?? []).flatMap(({ name, valueFrom }) =>
      valueFrom?.secretKeyRef ? [use(valueFrom.secretKeyRef.name ?? '', `envVar ${name}`)] : [],
    );
    const whole = (container.envFrom ?? []).flatMap(({ secretRef }) =>
      secretRef ? [use(secretRef.name ?? '', 'envFrom')] : [],
    );
    return [...single, ...whole];
  });
}
