/**
 * What every node may, as rules: those of the role `system:node` of Kubernetes, and what our agent needs besides. Pure data.
 * Read by `nodeauthorizer.ts`, which narrows some of it down to the node's own objects, and by the table of default roles.
 */
import { may, read } from './rbacrow.js';

const certificates = 'certificates.k8s.io';
const storage = 'storage.k8s.io';
const dynamicResources = 'resource.k8s.io';

export const nodeRules = [
  may('create', 'authentication.k8s.io', 'tokenreviews'),
  may('create', 'authorization.k8s.io', 'subjectaccessreviews localsubjectaccessreviews'),
  may(read, '', 'services pods secrets configmaps'),
  may(`create ${read} update patch`, '', 'nodes'),
  may('update patch', '', 'nodes/status pods/status'),
  may('create update patch', '', 'events'),
  may('create delete', '', 'pods'),
  may('create', '', 'pods/eviction serviceaccounts/token'),
  may('get', '', 'persistentvolumeclaims persistentvolumes endpoints serviceaccounts'),
  may('get update patch', '', 'persistentvolumeclaims/status'),
  may(`create ${read}`, certificates, 'certificatesigningrequests'),
  may('get create update patch delete', 'coordination.k8s.io', 'leases'),
  may('get', storage, 'volumeattachments'),
  may(read, storage, 'csidrivers'),
  may('get create update patch delete', storage, 'csinodes'),
  may(read, 'node.k8s.io', 'runtimeclasses'),
  may('get', dynamicResources, 'resourceclaims'),
  may('deletecollection', dynamicResources, 'resourceslices'),
];

/**
 * The agent is kubelet and kube-proxy in one, and keeps the routes to the pods of other nodes: it follows all nodes, which
 * a kubelet may not since Kubernetes 1.34, and the endpoints of Services.
 */
export const agentRules = [may(read, '', 'nodes'), may(read, 'discovery.k8s.io', 'endpointslices')];
