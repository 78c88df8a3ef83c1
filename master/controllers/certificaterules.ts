/**
 * What may be signed, and what is approved without a human: the rules that Kubernetes documents for its signers. Pure. Called
 * by `certificates.ts`.
 *
 * Approved by itself: a client certificate of a node, for whoever may `create` `certificatesigningrequests/nodeclient`, and
 * for the node itself who may `.../selfnodeclient`; and, which Kubernetes leaves to others, a serving certificate that a
 * node asks for with no names and addresses but its own. Everything else waits for a human, however wrong it is; the signer
 * fails what breaks its rules once it is approved.
 */
import { isConditionTrue } from '../../src/api/meta.js';
import type { CertificateSigningRequest } from '../../src/api/types.js';
import type { RequestedNames } from '../../src/host/x509.js';
import type { CertificateUse } from '../auth/ca.js';

export type Request = RequestedNames & { otherNames: number };

export type Decision =
  | { do: 'nothing' }
  /** Ours to approve if one of these is allowed; a permission is a subresource of certificatesigningrequests. */
  | { do: 'approve'; permissions: readonly Permission[]; use: CertificateUse }
  /** Might be approved later: the address is still another node's. */
  | { do: 'wait' }
  | { do: 'sign'; use: CertificateUse }
  /** Approved, but it breaks the rules of its signer: nobody can sign it. */
  | { do: 'fail'; message: string };

export type Permission = 'selfnodeclient' | 'nodeclient';

/** What an approval says. */
export const approvalMessages: Record<Permission | 'serving', string> = {
  selfnodeclient: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
  nodeclient: 'Auto approving kubelet client certificate after SubjectAccessReview.',
  serving: 'Auto approving kubelet serving certificate: its names and addresses are those of the node.',
};

export interface CertificateFacts {
  /** What the request holds, or why it cannot be read. */
  request: Request | Error;
  /** Names of the nodes that have this address in their status; '' for addresses no node may have. */
  ownersOfIp(ip: string): readonly string[];
  /** The longest life. */
  lifetimeMs: number;
}

const nodeUser = 'system:node:';
const signers = {
  user: 'kubernetes.io/kube-apiserver-client',
  kubelet: 'kubernetes.io/kube-apiserver-client-kubelet',
  serving: 'kubernetes.io/kubelet-serving',
} as const;
const ours: readonly string[] = Object.values(signers);
/** What `expirationSeconds` may ask for; a shorter life of all certificates is another thing. */
const minLifetimeMs = 600_000;

export function decide({ spec, status }: CertificateSigningRequest, facts: CertificateFacts): Decision {
  const is = (type: string): boolean => isConditionTrue(status?.conditions, type);
  const isDone = Boolean(status?.certificate) || is('Denied') || is('Failed');
  if (isDone || !ours.includes(spec.signerName)) return { do: 'nothing' };
  const { request } = facts;
  const isApproved = is('Approved');
  if (request instanceof Error)
    return isApproved ? { do: 'fail', message: request.message } : { do: 'nothing' };
  const problem = violation(spec.signerName, spec.usages ?? [], request);
  const use = useOf(spec, facts.lifetimeMs);
  if (isApproved) return problem === undefined ? { do: 'sign', use } : { do: 'fail', message: problem };
  if (problem !== undefined || spec.signerName === signers.user) return { do: 'nothing' };
  const isItself = spec.username === request.commonName;
  if (spec.signerName === signers.kubelet)
    return {
      do: 'approve',
      permissions: [...(isItself ? (['selfnodeclient'] as const) : []), 'nodeclient'],
      use,
    };
  if (!isItself || !spec.groups?.includes('system:nodes') || !hasOwnNames(request)) return { do: 'nothing' };
  return hasForeignIp(request, facts.ownersOfIp) ? { do: 'wait' } : { do: 'approve', permissions: [], use };
}

/** Kubernetes' words where it has some. */
function violation(signer: string, usages: readonly string[], request: Request): string | undefined {
  if (signer === signers.user) return userViolation(usages, request);
  const { commonName, organizations, dnsNames, ips, otherNames } = request;
  const isServing = signer === signers.serving;
  if (organizations.join() !== 'system:nodes') return 'subject organization is not system:nodes';
  if (isServing && dnsNames.length + ips.length === 0) return 'DNS or IP subjectAltName is required';
  if (!isServing && dnsNames.length > 0) return 'DNS subjectAltNames are not allowed';
  if (!isServing && ips.length > 0) return 'IP subjectAltNames are not allowed';
  if (otherNames > 0) return 'Email and URI subjectAltNames are not allowed';
  const needed = ['digital signature', isServing ? 'server auth' : 'client auth'];
  const asked = usages.filter((usage) => usage !== 'key encipherment');
  if (asked.length !== needed.length || !needed.every((usage) => asked.includes(usage)))
    return `usages did not match [${needed.join(' ')}], with or without key encipherment`;
  return commonName.startsWith(nodeUser) && commonName !== nodeUser
    ? undefined
    : `subject common name does not begin with ${nodeUser}`;
}

/** Whoever approves decides about the subject; nobody becomes an administrator this way. */
function userViolation(usages: readonly string[], request: Request): string | undefined {
  const known = ['digital signature', 'key encipherment', 'client auth'];
  const extra = usages.find((usage) => !known.includes(usage));
  if (extra !== undefined) return `invalid usage for client certificate: ${extra}`;
  if (!usages.includes('client auth')) return 'missing required usage for client certificate: client auth';
  return request.organizations.includes('system:masters')
    ? `use of ${signers.user} signer with system:masters group is not allowed`
    : undefined;
}

const nodeOf = ({ commonName }: Request): string => commonName.slice(nodeUser.length);

const hasOwnNames = (request: Request): boolean => request.dnsNames.every((name) => name === nodeOf(request));

/**
 * A serving certificate must not let a node pose as another one or as the API server inside the cluster. What a node says
 * of its own addresses is not enough when another one says the same.
 */
const hasForeignIp = (request: Request, ownersOfIp: CertificateFacts['ownersOfIp']): boolean =>
  request.ips.flatMap(ownersOfIp).some((owner) => owner !== nodeOf(request));

function useOf(
  { signerName, usages, expirationSeconds }: CertificateSigningRequest['spec'],
  longestMs: number,
): CertificateUse {
  const askedMs = expirationSeconds === undefined ? longestMs : expirationSeconds * 1000;
  return {
    purpose: signerName === signers.serving ? 'server' : 'client',
    keyEncipherment: usages?.includes('key encipherment') ?? false,
    lifetimeMs: Math.min(Math.max(askedMs, minLifetimeMs), longestMs),
  };
}
