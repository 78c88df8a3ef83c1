/**
 * 5. Approves and signs CertificateSigningRequests of Kubernetes' own signers, and removes requests that are done. What it
 * decides is in `certificaterules.ts`; whether who asks may be approved is asked by SubjectAccessReview.
 */
import { certificateSigningRequests, resourceType } from '../../src/api/kinds.js';
import { parseKey, withCondition } from '../../src/api/meta.js';
import type {
  CertificateSigningRequest,
  CertificateSigningRequestCondition,
  Node,
  SubjectAccessReview,
} from '../../src/api/types.js';
import type { Cache, Source } from '../../src/client/cache.js';
import type { Client } from '../../src/client/client.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import type { ReconcileResult } from '../../src/client/reconciler.js';
import { type Clock, toTime } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import { readRequest } from '../../src/host/x509.js';
import { containsIp, mustParseCidr } from '../../src/net/cidr.js';
import { type Ip, parseIp } from '../../src/net/ip.js';
import type { Authority, CertificateUse } from '../auth/ca.js';
import {
  approvalMessages,
  type Decision,
  decide,
  type Permission,
  type Request,
} from './certificaterules.js';

/** As Kubernetes' cleaner: requests that are decided stay for an hour, others for a day. */
const keepDecidedMs = 3_600_000;
const keepPendingMs = 86_400_000;
/** When an address changed hosts, the Node of the former one says so soon. */
const waitMs = 15_000;

/** When the request is to be removed, in milliseconds since the epoch. */
export function removalTime({ metadata, status }: CertificateSigningRequest): number {
  const decided = status?.conditions?.map((condition) => Date.parse(condition.lastUpdateTime ?? '')) ?? [];
  const newest = Math.max(...decided.filter((time) => !Number.isNaN(time)));
  return Number.isFinite(newest)
    ? newest + keepDecidedMs
    : Date.parse(metadata.creationTimestamp ?? '') + keepPendingMs;
}

const accessReviews = resourceType<SubjectAccessReview>(
  'authorization.k8s.io/v1',
  'subjectaccessreviews',
  'SubjectAccessReview',
  false,
);

export interface CertificatesControllerOptions {
  client: Pick<Client, 'create' | 'update' | 'delete'>;
  requests: Source<CertificateSigningRequest>;
  nodes: Cache<Node>;
  /** Asked for each signature: one may follow another. Servers and clients have different ones. */
  authority(purpose: CertificateUse['purpose']): Authority;
  /** What a request gets that asks for nothing less. */
  lifetimeMs: number;
  /** The service network: no node may ask a certificate for one of its addresses. */
  serviceCidr: string;
  clock: Clock;
  log: Logger;
}

export function createCertificatesController(options: CertificatesControllerOptions): Controller {
  const { client, requests, nodes, authority, lifetimeMs, clock } = options;
  const services = mustParseCidr(options.serviceCidr);

  function ownersOfIp(text: string): readonly string[] {
    const ip = addressIn(text);
    if (!ip || containsIp(services, ip)) return [''];
    const isThis = ({ address }: { address: string }): boolean => {
      const other = addressIn(address);
      return other?.family === ip.family && other.value === ip.value;
    };
    const having = nodes.list().filter(({ status }) => status?.addresses?.some(isThis));
    return having.map(({ metadata }) => metadata.name ?? '');
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

  /** Which of the permissions the one who asked has. */
  async function permitted(
    { spec }: CertificateSigningRequest,
    permissions: readonly Permission[],
  ): Promise<Permission | undefined> {
    const { username: user, uid, groups, extra } = spec;
    for (const subresource of permissions) {
      const review = await client.create(accessReviews, {
        metadata: {},
        spec: {
          ...{ user, groups },
          ...(uid && { uid }),
          ...(extra && { extra }),
          resourceAttributes: {
            ...{ group: 'certificates.k8s.io', resource: 'certificatesigningrequests' },
            ...{ verb: 'create', version: '*', subresource },
          },
        },
      });
      if (review.status?.allowed) return subresource;
    }
    return undefined;
  }

  async function approve(
    csr: CertificateSigningRequest,
    { permissions, use }: Extract<Decision, { do: 'approve' }>,
  ): Promise<void> {
    const why = permissions.length === 0 ? 'serving' : await permitted(csr, permissions);
    if (!why) return;
    const change = withDecision(csr, 'Approved', 'AutoApproved', approvalMessages[why]);
    const { metadata } = await mark(csr, 'approval', change);
    await sign({ ...csr, metadata, status: { ...csr.status, ...change } }, use);
  }

  async function sign(csr: CertificateSigningRequest, use: CertificateUse): Promise<void> {
    const signed = await authority(use.purpose).signRequest(requestText(csr), use, clock.now());
    await mark(csr, 'status', { certificate: Buffer.from(signed).toString('base64') });
  }

  async function reconcile(key: string): Promise<ReconcileResult> {
    const csr = requests.getByKey(key);
    if (!csr) return undefined;
    const keepMs = removalTime(csr) - clock.now().getTime();
    if (keepMs <= 0) {
      await client.delete(certificateSigningRequests, parseKey(key), preconditionsOf(csr));
      return undefined;
    }
    const decision = decide(csr, { request: await read(csr), ownersOfIp, lifetimeMs });
    if (decision.do === 'approve') await approve(csr, decision);
    if (decision.do === 'sign') await sign(csr, decision.use);
    if (decision.do === 'fail')
      await mark(csr, 'status', withDecision(csr, 'Failed', 'SignerValidationFailure', decision.message));
    return { requeueAfterMs: decision.do === 'wait' ? Math.min(waitMs, keepMs) : keepMs };
  }

  return createController({
    name: 'certificates',
    reconciler: { reconcile },
    sources: [on(requests)],
    clock,
    log: options.log,
  });
}

const mappedPrefix = 0xffffn;

/** One address, however it is written: many clients take an IPv4 address within IPv6 for the IPv4 address. */
function addressIn(text: string): Ip | undefined {
  const ip = parseIp(text);
  const isMapped = ip?.family === 6 && ip.value >> 32n === mappedPrefix;
  return isMapped ? { family: 4, value: BigInt.asUintN(32, ip.value) } : ip;
}

const preconditionsOf = ({ metadata: { uid } }: CertificateSigningRequest) =>
  uid ? { preconditions: { uid } } : {};

const requestText = ({ spec }: CertificateSigningRequest): string =>
  Buffer.from(spec.request, 'base64').toString();

async function read(csr: CertificateSigningRequest): Promise<Request | Error> {
  try {
    return await readRequest(requestText(csr));
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
