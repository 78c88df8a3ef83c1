/**
 * 2. NodeRestriction: what an agent, whose user is `system:node:<name>`, may write, beyond what the node authorizer can tell
 * without the object: its own Node without new labels of Kubernetes' domains, taints or owners, its own Lease and CSINode,
 * mirror pods and the status of its pods, tokens of them, and requests for its own certificate. Nobody else is looked at.
 * Rules and words as kube-apiserver has them.
 */
import { isDeepStrictEqual } from 'node:util';
import type {
  CertificateSigningRequest,
  KubeObject,
  Node,
  PersistentVolumeClaim,
} from '../../../src/api/types.js';
import { nodeOfUser } from '../../auth/nodeuser.js';
import type { Admission, AdmissionRequest } from '../../registry/admission.js';
import type { Resource } from '../../resources/resource.js';
import type { PluginDeps } from '../plugin.js';
import { forbiddenLabels } from './noderestrictionlabels.js';
import { createPodRules, type NodeRule } from './noderestrictionpods.js';
import { createTokenRule } from './noderestrictiontokens.js';
import { refused } from './refusal.js';

const leaseNamespace = 'kube-node-lease';
const requestGroup = 'certificates.k8s.io';

export function createNodeRestriction(deps: PluginDeps): Admission {
  const token = createTokenRule(deps);
  const rules: ReadonlyMap<string, { group: string; rule: NodeRule }> = new Map([
    ['pods', { group: '', rule: createPodRules(deps) }],
    ['nodes', { group: '', rule: ownNode }],
    ['persistentvolumeclaims', { group: '', rule: claimStatus }],
    ['serviceaccounts', { group: '', rule: token }],
    ['leases', { group: 'coordination.k8s.io', rule: ownLease }],
    ['csinodes', { group: 'storage.k8s.io', rule: ownCsiNode }],
    ['certificatesigningrequests', { group: requestGroup, rule: ownCertificate }],
  ]);
  const ruleOf = ({ type }: Resource): NodeRule | undefined => {
    const found = rules.get(type.resource);
    return found?.group === type.group ? found.rule : undefined;
  };

  return {
    concerns: (resource, operation, subresource) => {
      const rule = operation === 'CONNECT' ? undefined : ruleOf(resource);
      if (rule === token) return subresource === 'token';
      if (rule === ownCertificate) return operation === 'CREATE' && subresource === '';
      return rule !== undefined;
    },
    async mutate(request) {
      const { name, groups } = request.context.user;
      const node = nodeOfUser(name, groups);
      if (node === undefined) return request.object;
      if (node === '') throw refused(request, `could not determine node from user ${JSON.stringify(name)}`);
      await ruleOf(request.resource)?.(request, node);
      return request.object;
    },
    validate: () => Promise.resolve(),
  };
}

/** What is written, of a request that writes an object. */
const nameOf = ({ name, object }: AdmissionRequest): string => name ?? object?.metadata.name ?? '';

function ownNode(request: AdmissionRequest, node: string): void {
  const name = nameOf(request);
  if (name !== node) throw refused(request, `node "${node}" is not allowed to modify node "${name}"`);
  const object = request.object as Node | undefined;
  if (!object || request.operation === 'DELETE') return;
  if (request.operation === 'CREATE') checkNewNode(request, object, node);
  else checkChangedNode(request, object, request.oldObject as Node, node);
}

/** Kubernetes lets the first registration name owners; whoever may delete the owner could so get rid of the taints. */
function checkNewNode(request: AdmissionRequest, { metadata, spec }: Node, node: string): void {
  if (spec?.configSource)
    throw refused(request, `node "${node}" is not allowed to create pods with a non-nil configSource`);
  if (metadata.ownerReferences?.length)
    throw refused(request, `node "${node}" is not allowed to set ownerReferences`);
  const labels = forbiddenLabels(metadata.labels, undefined);
  if (labels.length > 0)
    throw refused(request, `node "${node}" is not allowed to set the following labels: ${labels.join(', ')}`);
}

function checkChangedNode(request: AdmissionRequest, now: Node, old: Node, node: string): void {
  const { configSource, taints } = now.spec ?? {};
  if (configSource && !isDeepStrictEqual(configSource, old.spec?.configSource))
    throw refused(
      request,
      `node "${node}" is not allowed to update configSource to a new non-nil configSource`,
    );
  if (!isSame(taints, old.spec?.taints))
    throw refused(request, `node "${node}" is not allowed to modify taints`);
  if (!isSame(now.metadata.ownerReferences, old.metadata.ownerReferences))
    throw refused(request, `node "${node}" is not allowed to modify ownerReferences`);
  const labels = forbiddenLabels(now.metadata.labels, old.metadata.labels);
  if (labels.length > 0) throw refused(request, `is not allowed to modify labels: ${labels.join(', ')}`);
}

/** None and an empty list say the same. */
const isSame = (one: readonly unknown[] = [], other: readonly unknown[] = []): boolean =>
  isDeepStrictEqual(one, other);

/** What a driver tells when it made the volume larger, and nothing else. */
function claimStatus(request: AdmissionRequest, node: string): void {
  if (request.subresource !== 'status') throw refused(request, 'may only update PVC status');
  if (request.operation !== 'UPDATE') throw refused(request, `unexpected operation "${request.operation}"`);
  const [now, old] = [request.object, request.oldObject].map(withoutSize);
  if (!isDeepStrictEqual(now, old)) {
    const why = `node "${node}" is not allowed to update fields other than status.capacity and status.conditions`;
    throw refused(request, why);
  }
}

function withoutSize(object: KubeObject | undefined): unknown {
  const { metadata, status, ...rest } = object as PersistentVolumeClaim;
  const { resourceVersion: _version, managedFields: _fields, ...kept } = metadata;
  const {
    capacity: _c,
    conditions: _o,
    allocatedResources: _a,
    allocatedResourceStatuses: _s,
    ...said
  } = status ?? {};
  return JSON.parse(JSON.stringify({ ...rest, metadata: kept, status: said }));
}

function ownLease(request: AdmissionRequest, node: string): void {
  if (request.namespace !== leaseNamespace)
    throw refused(request, `can only access leases in the "${leaseNamespace}" system namespace`);
  if (nameOf(request) !== node)
    throw refused(request, 'can only access node lease with the same name as the requesting node');
}

function ownCsiNode(request: AdmissionRequest, node: string): void {
  if (nameOf(request) !== node)
    throw refused(request, 'can only access CSINode with the same name as the requesting node');
}

const nodeSigners = ['kubernetes.io/kube-apiserver-client-kubelet', 'kubernetes.io/kubelet-serving'];

async function ownCertificate(request: AdmissionRequest): Promise<void> {
  const { spec } = request.object as CertificateSigningRequest;
  if (!nodeSigners.includes(spec.signerName ?? '')) return;
  // The library is large and hardly ever needed.
  const { readRequest } = await import('../../../src/host/x509.js');
  const pem = Buffer.from(spec.request ?? '', 'base64').toString();
  const { commonName } = await readRequest(pem).catch((error: Error) => {
    throw refused(request, `unable to parse csr: ${error.message}`);
  });
  const { name } = request.context.user;
  if (commonName !== name) throw refused(request, `can only create a node CSR with CN=${name}`);
}
