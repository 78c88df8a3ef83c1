/** What a node may write: everything about itself and its pods, nothing about others, and nothing that leads further. */
import t, { type Test } from 'tap';
import {
  certificateSigningRequests,
  csiDrivers,
  csiNodes,
  leases,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
} from '../../../src/api/kinds.js';
import { createKey, createRequest } from '../../../src/host/x509.js';
import type { Attributes } from '../../auth/auth.js';
import type { User } from '../../registry/registry.js';
import { contextOf } from '../../registry/testing.js';
import { createNodeRestriction } from './noderestriction.js';
import { createPluginBed } from './testing.js';

const asked: Attributes[] = [];
const authorizer = {
  authorize(attributes: Attributes) {
    asked.push(attributes);
    return { allowed: attributes.resource === 'granted', reason: '' };
  },
};
const bed = await createPluginBed([createNodeRestriction], { authorizer });
t.teardown(() => bed.close());
const { client: admin, registry, rowOf } = bed;
const user: User = { name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] };
const agent = bed.clientOf(user);
const other = bed.clientOf({ ...user, name: 'system:node:n2' });

const notFound = { reason: 'NotFound', message: /could not find|not found/ };

async function refused(t: Test, write: Promise<unknown>, message: string): Promise<void> {
  await t.rejects(write, { reason: 'Forbidden', message }, message);
}

await agent.create(nodes, {
  metadata: { name: 'n1', labels: { 'kubernetes.io/hostname': 'n1', team: 'a' } },
});
await other.create(nodes, { metadata: { name: 'n2' } });

t.test('its Node', async (t) => {
  const ref = { name: 'n1' };
  const change = (body: object, subresource = '') =>
    agent.patch(nodes, ref, { type: 'merge', body }, subresource ? { subresource } : {});
  await change({ metadata: { labels: { team: 'b', 'topology.kubernetes.io/zone': 'z' } } });
  await change({ metadata: { labels: { 'a.node.kubernetes.io/x': '1', 'kubelet.kubernetes.io/y': '1' } } });
  await change({ status: { capacity: { cpu: '2' } } }, 'status');
  for (const label of [
    'node-role.kubernetes.io/control-plane',
    'node-restriction.kubernetes.io/team',
    'x.node-restriction.kubernetes.io/team',
    'other.k8s.io/team',
    'kubernetes.io/team',
  ]) {
    const labels = { [label]: '' };
    const said = `nodes "n1" is forbidden: is not allowed to modify labels: ${label}`;
    await refused(t, change({ metadata: { labels } }), said);
    await refused(t, change({ metadata: { labels } }, 'status'), said);
    await refused(
      t,
      bed.clientOf({ ...user, name: 'system:node:n3' }).create(nodes, { metadata: { name: 'n3', labels } }),
      `nodes "n3" is forbidden: node "n3" is not allowed to set the following labels: ${label}`,
    );
  }
  const taints = [{ key: 'a', effect: 'NoSchedule' }];
  await admin.patch(nodes, ref, { type: 'merge', body: { spec: { taints } } });
  const taintsSaid = 'nodes "n1" is forbidden: node "n1" is not allowed to modify taints';
  await refused(t, change({ spec: { taints: null } }), taintsSaid);
  await refused(t, change({ spec: { taints: [...taints, { key: 'b', effect: 'NoExecute' }] } }), taintsSaid);
  await change({ spec: { unschedulable: true } });

  const ownerReferences = [{ apiVersion: 'v1', kind: 'Pod', name: 'a', uid: 'b' }];
  const owned = 'nodes "n1" is forbidden: node "n1" is not allowed to modify ownerReferences';
  await refused(t, change({ metadata: { ownerReferences } }), owned);
  const third = bed.clientOf({ ...user, name: 'system:node:n3' });
  await refused(
    t,
    third.create(nodes, { metadata: { name: 'n3', ownerReferences } }),
    'nodes "n3" is forbidden: node "n3" is not allowed to set ownerReferences',
  );
  const configSource = { configMap: { namespace: 'a', name: 'b', kubeletConfigKey: 'c' } };
  await refused(
    t,
    third.create(nodes, { metadata: { name: 'n3' }, spec: { configSource } }),
    'nodes "n3" is forbidden: node "n3" is not allowed to create pods with a non-nil configSource',
  );
  await refused(
    t,
    change({ spec: { configSource } }),
    'nodes "n1" is forbidden: node "n1" is not allowed to update configSource to a new non-nil configSource',
  );
  await third.create(nodes, { metadata: { name: 'n3' }, spec: { taints } });

  const others = 'node "n1" is not allowed to modify node "n2"';
  const second = { name: 'n2' };
  await refused(t, agent.create(nodes, { metadata: second }), `nodes "n2" is forbidden: ${others}`);
  const patch = { type: 'merge', body: { status: { phase: 'x' } } } as const;
  await refused(t, agent.patch(nodes, second, patch), `nodes "n2" is forbidden: ${others}`);
  await refused(
    t,
    agent.patch(nodes, second, patch, { subresource: 'status' }),
    `nodes "n2" is forbidden: ${others}`,
  );
  await refused(t, agent.delete(nodes, second), `nodes "n2" is forbidden: ${others}`);
  await refused(
    t,
    bed.clientOf({ ...user, name: 'system:node:' }).create(nodes, { metadata: { name: 'x' } }),
    'nodes "x" is forbidden: could not determine node from user "system:node:"',
  );
  const master = bed.clientOf({ ...user, groups: [...user.groups, 'system:masters'] });
  await refused(t, master.patch(nodes, second, patch), `nodes "n2" is forbidden: ${others}`);
});

t.test('its Lease and its CSINode', async (t) => {
  const metadata = { namespace: 'kube-node-lease', name: 'n1' };
  await admin.create(namespaces, { metadata: { name: 'kube-node-lease' } });
  await agent.create(leases, { metadata, spec: { holderIdentity: 'n1' } });
  const spec = { holderIdentity: 'x' };
  await agent.patch(leases, metadata, { type: 'merge', body: { spec } });
  const mine = 'can only access node lease with the same name as the requesting node';
  const message = (name: string, why: string): string =>
    `leases.coordination.k8s.io "${name}" is forbidden: ${why}`;
  await refused(t, agent.create(leases, { metadata: { ...metadata, name: 'n2' } }), message('n2', mine));
  await refused(t, other.delete(leases, metadata), message('n1', mine));
  await refused(
    t,
    agent.create(leases, { metadata: { namespace: 'default', name: 'n1' } }),
    message('n1', 'can only access leases in the "kube-node-lease" system namespace'),
  );
  await agent.create(csiNodes, { metadata: { name: 'n1' }, spec: { drivers: [] } });
  await refused(
    t,
    other.delete(csiNodes, { name: 'n1' }),
    'csinodes.storage.k8s.io "n1" is forbidden: can only access CSINode with the same name as the requesting node',
  );
});

const annotations = { 'kubernetes.io/config.mirror': 'abc' };
const containers = [{ name: 'a', image: 'b' }];

t.test('its pods', async (t) => {
  const { uid = '' } = (await admin.get(nodes, { name: 'n1' })).metadata;
  const owner = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid, controller: true };
  const spec = { nodeName: 'n1', containers };
  const namespace = 'default';
  const metadata = { namespace, name: 'web-n1', annotations, ownerReferences: [owner] };
  const wrong = (object: object, why: string, name = 'web-n1') =>
    refused(t, agent.create(pods, { metadata, spec, ...object }), `pods "${name}" is forbidden: ${why}`);
  await wrong(
    { metadata: { namespace, name: 'x' } },
    'pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods',
    'x',
  );
  await wrong(
    { spec: { ...spec, nodeName: 'n2' } },
    'node "n1" can only create pods with spec.nodeName set to itself',
  );
  const owners: [object[], string][] = [
    [[], 'node "n1" can only create pods with an owner reference set to itself'],
    [[{ ...owner, name: 'n2' }], 'node "n1" can only create pods with an owner reference set to itself'],
    [[owner, owner], 'node "n1" can only create pods with a single owner reference set to itself'],
    [
      [{ ...owner, controller: false }],
      'node "n1" can only create pods with a controller owner reference set to itself',
    ],
    [
      [{ ...owner, blockOwnerDeletion: true }],
      'node "n1" must not set blockOwnerDeletion on an owner reference',
    ],
    [[{ ...owner, uid: 'other' }], `node n1 UID mismatch: expected other got ${uid}`],
  ];
  for (const [ownerReferences, why] of owners)
    await wrong({ metadata: { ...metadata, ownerReferences } }, why);

  const volumeOf = (source: object): object => ({ volumes: [{ name: 'v', ...source }] });
  const sourceOf = (source: object): object => volumeOf({ projected: { sources: [source] } });
  const envOf = (valueFrom: object): object => ({
    containers: [{ name: 'a', image: 'b', env: [{ name: 'E', valueFrom }] }],
  });
  const references: [object, string][] = [
    [{ serviceAccountName: 'x' }, 'a service account'],
    [{ imagePullSecrets: [{ name: 'x' }] }, 'secrets'],
    [volumeOf({ secret: { secretName: 'x' } }), 'secrets'],
    [volumeOf({ csi: { driver: 'd', nodePublishSecretRef: { name: 'x' } } }), 'secrets'],
    [sourceOf({ secret: { name: 'x' } }), 'secrets'],
    [envOf({ secretKeyRef: { name: 'x', key: 'k' } }), 'secrets'],
    [{ initContainers: [{ name: 'i', image: 'b', envFrom: [{ secretRef: { name: 'x' } }] }] }, 'secrets'],
    [volumeOf({ configMap: { name: 'x' } }), 'configmaps'],
    [sourceOf({ configMap: { name: 'x' } }), 'configmaps'],
    [envOf({ configMapKeyRef: { name: 'x', key: 'k' } }), 'configmaps'],
    [volumeOf({ persistentVolumeClaim: { claimName: 'x' } }), 'persistentvolumeclaims'],
    [sourceOf({ clusterTrustBundle: { name: 'x', path: 'p' } }), 'clustertrustbundles'],
    [{ resourceClaims: [{ name: 'x', resourceClaimName: 'y' }] }, 'resourceclaims'],
  ];
  for (const [more, what] of references)
    await wrong({ spec: { ...spec, ...more } }, `node "n1" can not create pods that reference ${what}`);

  await agent.create(pods, { metadata, spec });
  const foreign = { namespace, name: 'web' };
  await admin.create(pods, {
    metadata: { ...foreign, labels: { a: 'b' } },
    spec: { ...spec, nodeName: 'n2' },
  });
  await refused(
    t,
    agent.delete(pods, foreign, { gracePeriodSeconds: 0 }),
    'pods "web" is forbidden: node "n1" can only delete pods with spec.nodeName set to itself',
  );
  const running = { type: 'merge', body: { status: { phase: 'Running' } } } as const;
  const toStatus = { subresource: 'status' };
  await refused(
    t,
    agent.patch(pods, foreign, running, toStatus),
    'pods "web" is forbidden: node "n1" can only update pod status for pods with spec.nodeName set to itself',
  );
  await refused(
    t,
    other.patch(pods, foreign, { type: 'merge', body: { metadata: { labels: { a: 'c' } } } }, toStatus),
    'pods "web" is forbidden: node "n2" cannot update labels through pod status',
  );
  await refused(
    t,
    other.patch(
      pods,
      foreign,
      { type: 'merge', body: { status: { resourceClaimStatuses: [{ name: 'a' }] } } },
      toStatus,
    ),
    'pods "web" is forbidden: node "n2" cannot update resource claim statues',
  );
  await refused(
    t,
    other.patch(pods, foreign, { type: 'merge', body: { metadata: { labels: { a: 'c' } } } }),
    'pods "web" is forbidden: unexpected operation "UPDATE", node "n2" can only create and delete mirror pods',
  );
  await refused(
    t,
    other.post(pods, foreign, 'binding', { target: { name: 'n2' } }),
    `pods "web" is forbidden: unexpected pod subresource "binding", only 'status' and 'eviction' are allowed`,
  );
  const eviction = { metadata: { name: 'web' } };
  await refused(
    t,
    agent.post(pods, foreign, 'eviction', eviction),
    'pods "web" is forbidden: node n1 can only evict pods with spec.nodeName set to itself',
  );
  await other.patch(pods, foreign, running, toStatus);
  await other.post(pods, foreign, 'eviction', eviction);
  await t.rejects(other.post(pods, { namespace, name: 'gone' }, 'eviction', eviction), notFound);
  await agent.delete(pods, { namespace, name: 'web-n1' }, { gracePeriodSeconds: 0 });
});

t.test('tokens of its pods', async (t) => {
  const accounts = rowOf('serviceaccounts');
  const namespace = 'default';
  await admin.create(accounts.type, { metadata: { namespace, name: 'robot' } });
  const tokenOf = (audience?: string) => ({
    serviceAccountToken: { path: 't', ...(audience && { audience }) },
  });
  const pod = await admin.create(pods, {
    metadata: { namespace, name: 'mine' },
    spec: {
      nodeName: 'n1',
      containers,
      serviceAccountName: 'robot',
      volumes: [
        { name: 'v', projected: { sources: [tokenOf(), tokenOf('vault')] } },
        { name: 'c', csi: { driver: 'driver.example' } },
        { name: 'p', persistentVolumeClaim: { claimName: 'data' } },
      ],
    },
  });
  const tokenRequests = (audience: string) => ({ spec: { tokenRequests: [{ audience }] } });
  await admin.create(csiDrivers, { metadata: { name: 'driver.example' }, ...tokenRequests('inline') });
  await admin.create(csiDrivers, { metadata: { name: 'disks.example' }, ...tokenRequests('disk') });
  const size = { storage: '1Gi' };
  const claim = { metadata: { namespace, name: 'data' } };
  const modes = { accessModes: ['ReadWriteOnce'] };
  await admin.create(persistentVolumeClaims, {
    ...claim,
    spec: { ...modes, resources: { requests: size }, volumeName: 'pv', storageClassName: '' },
  });
  await admin.create(persistentVolumes, {
    metadata: { name: 'pv' },
    spec: { ...modes, capacity: size, csi: { driver: 'disks.example', volumeHandle: 'h' } },
  });
  const { uid } = pod.metadata;
  const bound = { kind: 'Pod', apiVersion: 'v1', name: 'mine', uid };
  const ask = (spec: object, client = user) =>
    registry.post(accounts, { namespace, name: 'robot' }, 'token', { spec }, contextOf({ user: client }));
  const wrong = (spec: object, why: string, client = user) =>
    refused(t, ask(spec, client), `serviceaccounts "robot" is forbidden: ${why}`);
  await wrong({}, 'node requested token not bound to a pod');
  await wrong({ boundObjectRef: { ...bound, kind: 'Secret' } }, 'node requested token not bound to a pod');
  await wrong(
    { boundObjectRef: { ...bound, uid: undefined } },
    'node requested token with a pod binding without a uid',
  );
  await wrong(
    { boundObjectRef: { ...bound, uid: 'old' } },
    'the UID in the bound object reference (old) does not match the UID in record. The object might have been deleted and then recreated',
  );
  await wrong(
    { boundObjectRef: bound },
    'node requested token bound to a pod scheduled on a different node',
    { ...user, name: 'system:node:n2' },
  );
  await wrong(
    { boundObjectRef: bound, audiences: ['vault', 'inline'] },
    'node may only request 0 or 1 audiences',
  );
  await wrong(
    { boundObjectRef: bound, audiences: ['bank'] },
    'audience "bank" not found in pod spec volume, system:node:n1 is not authorized to request tokens for this audience',
  );
  t.match(asked.at(-1), {
    ...{ user, verb: 'request-serviceaccounts-token-audience', group: '', resource: 'bank' },
    ...{ namespace, name: 'robot' },
  });
  // Nothing issues tokens here: who is let through finds nobody who answers.
  for (const audiences of [[], ['vault'], ['inline'], ['disk'], ['granted']])
    await t.rejects(ask({ boundObjectRef: bound, audiences }), notFound, String(audiences));
  await t.rejects(ask({}, { name: 'joe', groups: [] }), notFound, 'nobody else is looked at');
});

t.test('the status of claims', async (t) => {
  const claims = persistentVolumeClaims;
  const ref = { namespace: 'default', name: 'data' };
  const change = (body: object, options = { subresource: 'status' }) =>
    agent.patch(claims, ref, { type: 'merge', body }, options);
  await change({
    status: { capacity: { storage: '2Gi' }, conditions: [{ type: 'Resizing', status: 'True' }] },
  });
  const why = 'node "n1" is not allowed to update fields other than status.capacity and status.conditions';
  const said = `persistentvolumeclaims "data" is forbidden: ${why}`;
  await refused(t, change({ status: { phase: 'Lost' } }), said);
  await refused(t, change({ metadata: { finalizers: ['example.com/x'] } }), said);
  await refused(
    t,
    agent.delete(claims, ref),
    'persistentvolumeclaims "data" is forbidden: may only update PVC status',
  );
});

t.test('requests for certificates', async (t) => {
  const key = await createKey();
  const csr = async (commonName: string, signer: string, request?: string): Promise<object> => {
    const names = { commonName, organizations: ['system:nodes'], dnsNames: [], ips: [] };
    const pem = request ?? (await createRequest(key, names));
    return {
      request: Buffer.from(pem).toString('base64'),
      signerName: `kubernetes.io/${signer}`,
      usages: ['client auth'],
    };
  };
  const make = async (name: string, spec: Promise<object>) =>
    agent.create(certificateSigningRequests, { metadata: { name }, spec: (await spec) as never });
  const kubelet = 'kube-apiserver-client-kubelet';
  await make('own', csr('system:node:n1', kubelet));
  await make('other-signer', csr('joe', 'kube-apiserver-client'));
  const said = (name: string, why: string): string =>
    `certificatesigningrequests.certificates.k8s.io "${name}" is forbidden: ${why}`;
  for (const signer of [kubelet, 'kubelet-serving'])
    await refused(
      t,
      make('foreign', csr('system:node:n2', signer)),
      said('foreign', 'can only create a node CSR with CN=system:node:n1'),
    );
  await t.rejects(make('broken', csr('', kubelet, 'nonsense')), {
    reason: 'Forbidden',
    message: /unable to parse csr/,
  });
});
