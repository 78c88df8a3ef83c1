/**
 * Defaults of the kinds of apps/v1, of ReplicationControllers and of PodTemplates, as documented. Pure; every function
 * changes its argument.
 */
import type {
  DaemonSet,
  DaemonSetSpec,
  Deployment,
  DeploymentSpec,
  PersistentVolumeClaim,
  PodTemplate,
  ReplicaSet,
  ReplicaSetSpec,
  ReplicationController,
  StatefulSet,
  StatefulSetSpec,
} from '../types.js';
import { defaultPodTemplate } from './pod.js';

export function defaultDeployment(deployment: Deployment): void {
  // Without a selector: that it is missing is for validation to say.
  deployment.spec ??= {} as DeploymentSpec;
  const { spec } = deployment;
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  spec.strategy ??= {};
  spec.strategy.type ||= 'RollingUpdate';
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate ??= {};
    spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
    spec.strategy.rollingUpdate.maxSurge ??= '25%';
  }
  spec.template ??= {};
  defaultPodTemplate(spec.template);
}

export function defaultReplicaSet(replicaSet: ReplicaSet): void {
  replicaSet.spec ??= {} as ReplicaSetSpec;
  replicaSet.spec.replicas ??= 1;
  replicaSet.spec.template ??= {};
  defaultPodTemplate(replicaSet.spec.template);
}

export function defaultDaemonSet(daemonSet: DaemonSet): void {
  daemonSet.spec ??= {} as DaemonSetSpec;
  const { spec } = daemonSet;
  spec.revisionHistoryLimit ??= 10;
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
    spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
  }
  spec.template ??= {};
  defaultPodTemplate(spec.template);
}

export function defaultStatefulSet(statefulSet: StatefulSet): void {
  statefulSet.spec ??= {} as StatefulSetSpec;
  const { spec } = statefulSet;
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  spec.podManagementPolicy ||= 'OrderedReady';
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.partition ??= 0;
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
  }
  spec.persistentVolumeClaimRetentionPolicy ??= {};
  spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= 'Retain';
  spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= 'Retain';
  for (const claim of spec.volumeClaimTemplates ?? []) defaultClaimTemplate(claim);
  spec.template ??= {};
  defaultPodTemplate(spec.template);
}

function defaultClaimTemplate(claim: PersistentVolumeClaim): void {
  claim.apiVersion = 'v1';
  claim.kind = 'PersistentVolumeClaim';
  claim.spec ??= {};
  claim.spec.volumeMode ||= 'Filesystem';
  claim.status ??= {};
  claim.status.phase ||= 'Pending';
}

/** What it selects by, and its own labels, are those of its template unless it says otherwise. */
export function defaultReplicationController(controller: ReplicationController): void {
  controller.spec ??= {};
  const { spec } = controller;
  spec.replicas ??= 1;
  const labels = spec.template?.metadata?.labels;
  if (labels) {
    if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    if (Object.keys(controller.metadata.labels ?? {}).length === 0)
      controller.metadata.labels = { ...labels };
  }
  if (spec.template) defaultPodTemplate(spec.template);
}

export function defaultPodTemplateObject(object: PodTemplate): void {
  object.template ??= {};
  defaultPodTemplate(object.template);
}
