/**
 * 5. Signs the certificates of nodes: approves and signs CertificateSigningRequests of the two kubelet signers, removes
 * requests that are done. Everything else stays pending for a human, as in Kubernetes; of what a human approved the
 * requests of one more signer are signed, `kubernetes.io/kube-apiserver-client`: users of the API.
 *
 * `kubernetes.io/kube-apiserver-client-kubelet`: a joining host (system:bootstrappers) or the node itself may become
 * `system:node:<name>`. `kubernetes.io/kubelet-serving`: only the node itself, for its own name and addresses. The
 * rules about subject and usages are those that Kubernetes documents for these signers.
 */
import { certificateSigningRequests } from '../../src/api/kinds.js';
import { isConditionTrue, parseKey, withCondition } from '../../src/api/meta.js';
import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
  Node,
} from '../../src/api/types.js';
import type { Cache, Source } from '../../src/client/cache.js';
import type { Client } from '../../src/client/client.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { type Clock, toTime } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import { type RequestedNames, readRequest } from '../../src/host/x509.js';
import { type Authority, type CertificateUse, leafLifetimeMs } from '../auth/ca.js';

export type Decision =
  | { do: 'nothing' }
  /** The request breaks the rules of its signer: nobody can sign it. */
  | { do: 'fail'; message: string }
  | { do: 'sign'; approve: boolean; use: CertificateUse };

export interface CertificateFacts {
  /** What the request holds, or why it cannot be read. */
  request: (RequestedNames & { otherNames: number }) | Error;
  /** Name of the node that has this address in its status; '' for addresses no node may have. */
  ownerOfIp(ip: string): string | undefined;
}

const nodeUser = 'system:node:';
const userSigner = 'kubernetes.io/kube-apiserver-client';
const purposes: Record<string, CertificateUse['purpose'] | undefined> = {
  'kubernetes.io/kube-apiserver-client-kubelet': 'client',
  'kubernetes.io/kubelet-serving': 'server',
  [userSigner]: 'client',
};
const minLifetimeMs = 600_000;
/** As Kubernetes' cleaner: requests that are decided stay for an hour, others for a day. */
const keepDecidedMs = 3_600_000;
const keepPendingMs = 86_400_000;

/** What to do about a request. Pure. */
export function decide({ spec, status }: CertificateSigningRequest, facts: CertificateFacts): Decision {
  const purpose = purposes[spec.signerName];
  const is = (type: string): boolean => isConditionTrue(status?.conditions, type);
  if (!purpose || status?.certificate || is('Denied') || is('Failed')) return { do: 'nothing' };
  if (facts.request instanceof Error) return { do: 'fail', message: facts.request.message };

  const approved = is('Approved');
  if (spec.signerName === userSigner && !approved) return { do: 'nothing' };
  const problem =
    spec.signerName === userSigner
      ? userViolation(spec.usages ?? [], facts.request)
      : (violation(purpose, spec.usages ?? [], facts.request) ?? foreignIp(facts.request, facts.ownerOfIp));
  if (problem) return { do: 'fail', message: problem };
  const { commonName } = facts.request;
  const isItself = spec.username === commonName && (spec.groups ?? []).includes('system:nodes');
  const mayJoin = purpose === 'client' && (spec.groups ?? []).includes('system:bootstrappers');
  if (!approved && !isItself && !mayJoin) return { do: 'nothing' };
  const askedMs = spec.expirationSeconds === undefined ? leafLifetimeMs : spec.expirationSeconds * 1000;
  const lifetimeMs = Math.min(Math.max(askedMs, minLifetimeMs), leafLifetimeMs);
  return { do: 'sign', approve: !approved, use: { purpose, lifetimeMs } };
}

function violation(
  purpose: CertificateUse['purpose'],
  usages: readonly string[],
  request: RequestedNames & { otherNames: number },
): string | undefined {
  const node = request.commonName.slice(nodeUser.length);
  const names = request.dnsNames.length + request.ips.length;
  if (!request.commonName.startsWith(nodeUser) || node === '')
    return `the common name must be ${nodeUser}<node name>`;
  if (request.organizations.join() !== 'system:nodes')
    return 'the organization must be system:nodes and nothing else';
  if (request.otherNames > 0) return 'only DNS names and IP addresses may be asked for';
  const needed = purpose === 'client' ? 'client auth' : 'server auth';
  const extra = usages.filter((usage) => !['digital signature', 'key encipherment', needed].includes(usage));
  if (!usages.includes(needed) || extra.length > 0) {
    return `the usages must be digital signature, ${needed} and at most key encipherment`;
  }
  if (purpose === 'client' && names > 0) return 'a client certificate has no alternative names';
  if (purpose === 'server' && names === 0) return 'a serving certificate needs a DNS name or an IP address';
  const foreign = request.dnsNames.find((name) => name !== node);
  return foreign === undefined ? undefined : `the DNS name ${foreign} is not that of the node`;
}

/** Whoever approves decides about the subject; nobody becomes an administrator this way. */
function userViolation(usages: readonly string[], request: RequestedNames): string | undefined {
  const extra = usages.filter(
    (usage) => !['digital signature', 'key encipherment', 'client auth'].includes(usage),
  );
  if (!usages.includes('client auth') || extra.length > 0)
    return 'the usages must be client auth and at most digital signature and key encipherment';
  return request.organizations.includes('system:masters')
    ? `use of ${userSigner} signer with system:masters group is not allowed`
    : undefined;
}

/** A serving certificate must not let a node pose as another one or as the API server inside the cluster. */
function foreignIp(request: RequestedNames, ownerOfIp: CertificateFacts['ownerOfIp']): string | undefined {
  const node = request.commonName.slice(nodeUser.length);
  const foreign = request.ips.find((ip) => (ownerOfIp(ip) ?? node) !== node);
  return foreign === undefined ? undefined : `the address ${foreign} is not that of the node`;
}

/** When the request is to be removed, in milliseconds since the epoch. */
export function removalTime({ metadata, status }: CertificateSigningRequest): number {
  const decided = status?.conditions?.map((condition) => Date.parse(condition.lastUpdateTime ?? '')) ?? [];
  const newest = Math.max(...decided.filter((time) => !Number.isNaN(time)));
  return Number.isFinite(newest)
    ? newest + keepDecidedMs
    : Date.parse(metadata.creationTimestamp ?? '') + keepPendingMs;
}

export interface CertificatesControllerOptions {
  client: Pick<Client, 'update' | 'delete'>;
  requests: Source<CertificateSigningRequest>;
  nodes: Cache<Node>;
  authority: Authority;
  /** Addresses that no node may ask a certificate for: the first of the service network. */
  reservedIps: readonly string[];
  clock: Clock;
  log: Logger;
}

export function createCertificatesController(options: CertificatesControllerOptions): Controller {
  const { client, requests, nodes, authority, reservedIps, clock } = options;

  function ownerOfIp(ip: string): string | undefined {
    if (reservedIps.includes(ip)) return '';
    const hasIp = (node: Node): boolean =>
      node.status?.addresses?.some(({ address }) => address === ip) ?? false;
    return nodes.list().find(hasIp)?.metadata.name;
  }

  async function mark(
    csr: CertificateSigningRequest,
    subresource: string,
    change: Partial<CertificateSigningRequest['status']>,
  ) {
    return client.update(
      certificateSigningRequests,
      { ...csr, status: { ...csr.status, ...change } },
      { subresource },
    );
  }

  function withDecision(csr: CertificateSigningRequest, type: string, reason: string, message: string) {
    const now = toTime(clock.now());
    const condition: CertificateSigningRequestCondition = {
      type,
      status: 'True',
      reason,
      message,
      lastUpdateTime: now,
      lastTransitionTime: now,
    };
    return { conditions: withCondition(csr.status?.conditions, condition) };
  }

  async function sign(
    csr: CertificateSigningRequest,
    decision: Extract<Decision, { do: 'sign' }>,
  ): Promise<void> {
    let approved = csr;
    if (decision.approve) {
      const change = withDecision(csr, 'Approved', 'AutoApproved', 'the requestor may act for this node');
      const { metadata } = await mark(csr, 'approval', change);
      approved = { ...csr, metadata, status: { ...csr.status, ...change } };
    }
    const signed = await authority.signRequest(requestText(csr), decision.use, clock.now());
    await mark(approved, 'status', { certificate: Buffer.from(signed).toString('base64') });
  }

  async function reconcile(key: string): Promise<ReconcileResult> {
    const csr = requests.getByKey(key);
    if (!csr) return undefined;
    const keepMs = removalTime(csr) - clock.now().getTime();
    if (keepMs <= 0) {
      await client.delete(certificateSigningRequests, parseKey(key), preconditionsOf(csr));
      return undefined;
    }
    const decision = decide(csr, { request: await read(csr), ownerOfIp });
    if (decision.do === 'sign') await sign(csr, decision);
    if (decision.do === 'fail')
      await mark(csr, 'status', withDecision(csr, 'Failed', 'SignerValidationFailure', decision.message));
    return { requeueAfterMs: keepMs };
  }

  return createController({
    name: 'certificates',
    reconciler: { reconcile },
    sources: [on(requests)],
    clock,
    log: options.log,
  });
}

const preconditionsOf = ({ metadata: { uid } }: CertificateSigningRequest) =>
  uid ? { preconditions: { uid } } : {};

const requestText = ({ spec }: CertificateSigningRequest): string =>
  Buffer.from(spec.request, 'base64').toString();

async function read(csr: CertificateSigningRequest): Promise<CertificateFacts['request']> {
  try {
    return await readRequest(requestText(csr));
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
