/**
 * The defaults of every kind that has any: the table the registry looks them up in. Pure.
 *
 * A function changes the object it is given, which must have been decoded (`../schema/check.ts`), and is idempotent.
 * Kinds without an entry (ConfigMap, ServiceAccount, Event, Lease) have no defaults in Kubernetes either.
 */
import type { KubeObject } from '../types.js';
import { defaultBinding, defaultLimitRange, defaultPriorityClass, defaultResourceQuota } from './access.js';
import { defaultAutoscaler } from './autoscaling.js';
import { defaultCronJob, defaultJob } from './batch.js';
import { defaultNamespace, defaultNode, defaultSecret } from './core.js';
import { defaultIngressClass, defaultNetworkPolicy } from './network.js';
import { defaultPod } from './pod.js';
import { defaultEndpointSlice, defaultEndpoints, defaultService } from './service.js';
import {
  defaultCsiDriver,
  defaultPersistentVolume,
  defaultPersistentVolumeClaim,
  defaultStorageClass,
} from './storage.js';
import {
  defaultDaemonSet,
  defaultDeployment,
  defaultPodTemplateObject,
  defaultReplicaSet,
  defaultReplicationController,
  defaultStatefulSet,
} from './workloads.js';

/** By `group/Kind`, which says what type the function takes; core is ''. */
const table: Readonly<Record<string, (object: never) => void>> = {
  '/Namespace': defaultNamespace,
  '/Node': defaultNode,
  '/Pod': defaultPod,
  '/Secret': defaultSecret,
  '/Service': defaultService,
  '/Endpoints': defaultEndpoints,
  'discovery.k8s.io/EndpointSlice': defaultEndpointSlice,
  '/LimitRange': defaultLimitRange,
  '/ResourceQuota': defaultResourceQuota,
  'rbac.authorization.k8s.io/RoleBinding': defaultBinding,
  'rbac.authorization.k8s.io/ClusterRoleBinding': defaultBinding,
  'scheduling.k8s.io/PriorityClass': defaultPriorityClass,
  '/PersistentVolume': defaultPersistentVolume,
  '/PersistentVolumeClaim': defaultPersistentVolumeClaim,
  'storage.k8s.io/StorageClass': defaultStorageClass,
  'storage.k8s.io/CSIDriver': defaultCsiDriver,
  'networking.k8s.io/IngressClass': defaultIngressClass,
  'networking.k8s.io/NetworkPolicy': defaultNetworkPolicy,
  'apps/Deployment': defaultDeployment,
  'apps/ReplicaSet': defaultReplicaSet,
  'apps/DaemonSet': defaultDaemonSet,
  'apps/StatefulSet': defaultStatefulSet,
  'autoscaling/HorizontalPodAutoscaler': defaultAutoscaler,
  'batch/Job': defaultJob,
  'batch/CronJob': defaultCronJob,
  '/ReplicationController': defaultReplicationController,
  '/PodTemplate': defaultPodTemplateObject,
};

/** Fills in the defaults of an object of the kind, in place. */
export function defaultsFor(gvk: { group: string; kind: string }): (object: KubeObject) => void {
  const fill = table[`${gvk.group}/${gvk.kind}`];
  // The key names the kind, and with it the type `fill` takes.
  return fill ? (fill as (object: KubeObject) => void) : () => undefined;
}
