/**
 * 2. CertificateApproval, CertificateSigning and CertificateSubjectRestriction: who may decide about requests for
 * certificates, who may sign them, and that nobody asks to become an administrator.
 *
 * A role that may write `certificatesigningrequests/approval` is not enough: the signer must be named by a rule for the
 * verb `approve` on `signers` of certificates.k8s.io, in full or as `domain/*`; the same for `sign` and the status.
 */
import type { CertificateSigningRequest } from '../../../src/api/types.js';
import { readRequest } from '../../../src/host/x509.js';
import type { Admission, AdmissionRequest, Operation } from '../../registry/admission.js';
import { isSameJson } from '../../registry/codec.js';
import type { Resource } from '../../resources/resource.js';
import type { PluginDeps } from '../plugin.js';
import { refused } from './refusal.js';

const group = 'certificates.k8s.io';
const clientSigner = 'kubernetes.io/kube-apiserver-client';
const administrators = 'system:masters';

const isRequest = ({ type }: Resource): boolean =>
  type.group === group && type.resource === 'certificatesigningrequests';

type Authorizer = PluginDeps['authorizer'];

export const createCertificateApproval = ({ authorizer }: PluginDeps): Admission =>
  only('UPDATE', 'approval', (request) => requireSigner(authorizer, request, 'approve'));

export const createCertificateSigning = ({ authorizer }: PluginDeps): Admission =>
  only('UPDATE', 'status', async (request) => {
    const [now, old] = [request.object, request.oldObject] as (CertificateSigningRequest | undefined)[];
    const isSame =
      now?.status?.certificate === old?.status?.certificate &&
      isSameJson(now?.status?.conditions ?? [], old?.status?.conditions ?? []);
    if (!isSame) await requireSigner(authorizer, request, 'sign');
  });

export const createCertificateSubjectRestriction = (): Admission =>
  only('CREATE', '', async (request) => {
    const { spec } = request.object as CertificateSigningRequest;
    if (spec.signerName !== clientSigner) return;
    const { organizations } = await readable(request, spec.request);
    if (organizations.includes(administrators))
      throw refused(request, `use of ${clientSigner} signer with ${administrators} group is not allowed`);
  });

/** A plugin that looks at one kind of write and changes nothing. */
function only(
  operation: Operation,
  subresource: string,
  validate: (request: AdmissionRequest) => Promise<void>,
): Admission {
  return {
    concerns: (resource, asked, part) => asked === operation && part === subresource && isRequest(resource),
    mutate: async ({ object }) => object,
    validate,
  };
}

/** The signer of the stored request counts: what is sent may name another one. */
async function requireSigner(
  authorizer: Authorizer,
  request: AdmissionRequest,
  verb: 'approve' | 'sign',
): Promise<void> {
  const { signerName } = (request.oldObject as CertificateSigningRequest).spec;
  const [domain = ''] = signerName.split('/');
  const what = {
    group,
    version: '*',
    resource: 'signers',
    subresource: '',
    namespace: undefined,
    path: undefined,
  };
  for (const name of [signerName, `${domain}/*`]) {
    const { allowed } = await authorizer.authorize({ ...what, user: request.context.user, verb, name });
    if (allowed) return;
  }
  throw refused(
    request,
    `user not permitted to ${verb} requests with signerName ${JSON.stringify(signerName)}`,
  );
}

async function readable(request: AdmissionRequest, text: string): ReturnType<typeof readRequest> {
  try {
    return await readRequest(Buffer.from(text, 'base64').toString());
  } catch (error) {
    throw refused(request, `failed to parse CSR: ${error instanceof Error ? error.message : String(error)}`);
  }
}
