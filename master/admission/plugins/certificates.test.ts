import t from 'tap';
import { certificateSigningRequests } from '../../../src/api/kinds.js';
import type { CertificateSigningRequest, ClusterRole, ClusterRoleBinding } from '../../../src/api/types.js';
import { createKey, createRequest } from '../../../src/host/x509.js';
import type { Authorizer } from '../../auth/auth.js';
import { createTestRoles } from '../../auth/testing.js';
import {
  createCertificateApproval,
  createCertificateSigning,
  createCertificateSubjectRestriction,
} from './certificates.js';
import { createPluginBed, type PluginBed } from './testing.js';

const exact = 'kubernetes.io/kube-apiserver-client';
const foreign = 'example.com/tls';

/** A role for each verb and name, bound to the user called `<verb> <name>`. */
const grants = ['approve', 'sign'].flatMap((verb) =>
  [exact, 'example.com/*', 'kubernetes.io/kubelet-serving'].map((name) => ({ verb, name })),
);
const nameOf = ({ verb, name }: { verb: string; name: string }): string => `${verb} ${name}`;

const { index } = createTestRoles({
  roles: grants.map(
    (grant): ClusterRole => ({
      kind: 'ClusterRole',
      metadata: { name: nameOf(grant) },
      rules: [
        {
          apiGroups: ['certificates.k8s.io'],
          resources: ['signers'],
          verbs: [grant.verb],
          resourceNames: [grant.name],
        },
      ],
    }),
  ),
  bindings: grants.map(
    (grant): ClusterRoleBinding => ({
      kind: 'ClusterRoleBinding',
      metadata: { name: nameOf(grant) },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: nameOf(grant) },
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: nameOf(grant) }],
    }),
  ),
});

const authorizer = { authorize: (attributes) => index.decide(attributes) } as Authorizer;

async function bedOf(t: { teardown(end: () => unknown): void }): Promise<PluginBed> {
  const bed = await createPluginBed(
    [createCertificateApproval, createCertificateSigning, createCertificateSubjectRestriction],
    { authorizer },
  );
  t.teardown(() => bed.close());
  return bed;
}

async function requestFor(
  signerName: string,
  organizations: string[] = [],
): Promise<CertificateSigningRequest> {
  const names = { commonName: 'eve', organizations, dnsNames: [], ips: [] };
  const pem = await createRequest(await createKey(), names);
  return {
    metadata: { name: signerName.replace('/', '-') },
    spec: { signerName, usages: ['client auth'], request: Buffer.from(pem).toString('base64') },
  };
}

const approved = { conditions: [{ type: 'Approved', status: 'True', reason: 'x', message: 'x' }] };

t.test('to decide and to sign needs the right for the signer, in full or by domain', async (t) => {
  const bed = await bedOf(t);
  const subresources = { approve: 'approval', sign: 'status' };
  const change = { approve: approved, sign: { certificate: Buffer.from('x').toString('base64') } };
  for (const verb of ['approve', 'sign'] as const)
    for (const signer of [exact, foreign]) {
      const request = { ...(await requestFor(signer)), status: change[verb] };
      const { name = '' } = request.metadata;
      await bed.client.create(certificateSigningRequests, request);
      const write = (user: string): Promise<unknown> =>
        bed
          .clientOf({ name: user, groups: [] })
          .update(certificateSigningRequests, request, { subresource: subresources[verb], dryRun: true });
      const allowed = signer === exact ? exact : 'example.com/*';
      const other = signer === exact ? 'kubernetes.io/kubelet-serving' : exact;
      await t.resolves(write(`${verb} ${allowed}`), `${verb} ${signer}`);
      for (const user of [`${verb} ${other}`, `${verb === 'sign' ? 'approve' : 'sign'} ${allowed}`])
        await t.rejects(write(user), {
          code: 403,
          message: `certificatesigningrequests.certificates.k8s.io "${name}" is forbidden: user not permitted to ${verb} requests with signerName "${signer}"`,
        });
      await bed.client.delete(certificateSigningRequests, { name });
    }
});

t.test('a status that changes neither certificate nor conditions is nobody to sign', async (t) => {
  const bed = await bedOf(t);
  const request = await requestFor(foreign);
  await bed.client.create(certificateSigningRequests, request);
  const labelled = { ...request, metadata: { ...request.metadata, labels: { a: 'b' } } };
  const nobody = bed.clientOf({ name: 'nobody', groups: [] });
  await t.resolves(nobody.update(certificateSigningRequests, labelled, { subresource: 'status' }));
});

t.test('nobody asks to become an administrator', async (t) => {
  const bed = await bedOf(t);
  const create = async (signer: string, groups: string[]): Promise<unknown> =>
    bed.client.create(certificateSigningRequests, await requestFor(signer, groups));
  await t.rejects(create(exact, ['devs', 'system:masters']), {
    code: 403,
    message: `certificatesigningrequests.certificates.k8s.io "kubernetes.io-kube-apiserver-client" is forbidden: use of ${exact} signer with system:masters group is not allowed`,
  });
  await t.resolves(create(exact, ['devs']));
  await t.resolves(create(foreign, ['system:masters']), 'another signer makes no users of this API');
  const broken = await requestFor(exact);
  const text = '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n';
  broken.metadata.name = 'broken';
  broken.spec.request = Buffer.from(text).toString('base64');
  await t.rejects(bed.client.create(certificateSigningRequests, broken), {
    code: 422,
    message: /spec.request: Invalid value/,
  });
});
