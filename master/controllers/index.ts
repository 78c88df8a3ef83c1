/**
 * 5. All controllers as one component. Called by the master's composition root; adding a controller is one line here.
 * All of them share one set of informers, which may be shared with the scheduler too.
 */
import type { ResourceType } from '../../src/api/kinds.js';
import * as kinds from '../../src/api/kinds.js';
import type { Client } from '../../src/client/client.js';
import type { Controller, ControllerMetrics } from '../../src/client/controller.js';
import { createEventRecorder, type EventRecorderComponent } from '../../src/client/events.js';
import { createInformers, type Informers } from '../../src/client/informers.js';
import type { Clock } from '../../src/host/clock.js';
import { type Component, healthyNow, startAll, stopAll } from '../../src/host/component.js';
import type { Logger } from '../../src/host/log.js';
import type { QuotaLedger } from '../admission/plugins/quota/ledger.js';
import type { TokenIssuer } from '../auth/authn/issuer.js';
import type { CustomKinds } from '../registry/custom/serving.js';
import { type FollowedTypes, fixedTypes } from '../resources/followed.js';
import { type CertificatesControllerOptions, createCertificatesController } from './certificates.js';
import { type ClusterInfoOptions, createClusterInfoController } from './clusterinfo.js';
import { createClusterRoleAggregationController } from './clusterroleaggregation.js';
import type { ControllerContext } from './context.js';
import { createDefinitionController } from './crd.js';
import { createDeploymentController } from './deployment.js';
import { createDisruptionController } from './disruption.js';
import { createEndpointsController } from './endpoints.js';
import { createEndpointSliceController } from './endpointslice.js';
import { createEphemeralVolumeController } from './ephemeralvolume.js';
import { createGarbageCollector } from './garbagecollector.js';
import { createNamespaceController } from './namespace.js';
import { createNodeIpamController } from './nodeipam.js';
import { createNodeLifecycleController } from './nodelifecycle.js';
import { createRootCaController, createServiceAccountController } from './pernamespace.js';
import { createPodGcController } from './podgc.js';
import { createReplicaSetController } from './replicaset.js';
import { createResourceQuotaController } from './resourcequota.js';
import { createStorageProtection } from './storageprotection.js';
import { createTaintEvictionController } from './tainteviction.js';
import { createTokenCleaner } from './tokencleaner.js';
import { createTokenSecretsController } from './tokensecrets.js';
import { createVolumeBinder } from './volumebinder.js';

export interface ControllersOptions {
  /** Pod addresses of the cluster: `10.244.0.0/16`. */
  clusterCidr: string;
  /** Prefix length of one node's share; 24 by default. */
  nodeCidrMaskSize?: number;
  /** Silence after which a node is Unknown; 40 s by default. */
  nodeMonitorGracePeriodMs?: number;
  /** The same for a node that never reported; 60 s by default. */
  nodeStartupGracePeriodMs?: number;
  /** How long a pod bears a node that is down when it says nothing about it; 300 s by default. */
  defaultEvictionSeconds?: number;
  /** How long a Node must be gone before its pods are removed; 40 s by default. */
  podOrphanGraceMs?: number;
  /** Ended pods that may stay; 12500 by default. */
  terminatedPodThreshold?: number;
  /** What pods verify the API server with. */
  caPem(): string;
  /** What `cluster-info` says besides; without it there is none. */
  clusterInfo?: Pick<ClusterInfoOptions, 'server' | 'kubeletServingCaPem'>;
  /** Told when one of the two is another; never by default. */
  onCaChange?(listener: () => void): () => void;
  /** Makes the tokens of Secrets; without it these stay empty. */
  issueToken?: TokenIssuer['issueLegacy'];
  /** Signs the certificates of nodes; without it requests stay pending. */
  signer?: Pick<CertificatesControllerOptions, 'authority' | 'lifetimeMs' | 'serviceCidr'>;
  /** The kinds whose objects are collected with their namespace and owners; all we know by default. */
  types?: FollowedTypes;
  /** Through which admission charges quotas; without it their status stays as it is. */
  quotas?: QuotaLedger;
  /** What CustomResourceDefinitions are served by; without it they stay as they are. */
  customKinds?: CustomKinds;
}

export interface ControllersDeps {
  client: Client;
  clock: Clock;
  log: Logger;
  options: ControllersOptions;
  /** Shared and run by the caller; own ones are made when absent. */
  informers?: Informers;
}

export interface Controllers extends Component {
  /** Counters by controller name. */
  metrics(): Record<string, ControllerMetrics>;
}

const knownTypes = (): ResourceType[] =>
  Object.values(kinds).filter((value): value is ResourceType => typeof value === 'object');

export function createControllers({
  client,
  clock,
  log,
  options,
  informers: shared,
}: ControllersDeps): Controllers {
  const informers = shared ?? createInformers({ client, clock, log });
  const recorders: EventRecorderComponent[] = [];
  const context: ControllerContext = {
    client,
    informers,
    clock,
    log,
    recorder(component) {
      const recorder = createEventRecorder({ client, clock, log, component });
      recorders.push(recorder);
      return recorder;
    },
  };
  const controllers = createAll(context, options);
  const parts: Component[] = [...(shared ? [] : [informers]), ...recorders, ...controllers];
  return {
    name: 'controllers',
    start: (signal) => startAll(parts, signal),
    stop: () => stopAll(parts),
    healthy: () => parts.map((part) => part.healthy()).find((health) => !health.ok) ?? healthyNow,
    metrics: () =>
      Object.fromEntries(controllers.map((controller) => [controller.name, controller.metrics()])),
  };
}

function createAll(context: ControllerContext, options: ControllersOptions): Controller[] {
  const types = options.types ?? fixedTypes(knownTypes());
  const { clusterCidr, nodeCidrMaskSize = 24, signer } = options;
  return [
    createServiceAccountController(context),
    createRootCaController(context, options),
    ...(options.clusterInfo
      ? [createClusterInfoController(context, { ...options, ...options.clusterInfo })]
      : []),
    ...(options.issueToken
      ? [createTokenSecretsController(context, { ...options, issueToken: options.issueToken })]
      : []),
    createTokenCleaner(context),
    createClusterRoleAggregationController(context),
    createNodeIpamController(context, { clusterCidr, nodeCidrMaskSize }),
    ...(signer ? [createSigner(context, signer)] : []),
    createNodeLifecycleController(context, {
      nodeMonitorGracePeriodMs: options.nodeMonitorGracePeriodMs ?? 40_000,
      nodeStartupGracePeriodMs: options.nodeStartupGracePeriodMs ?? 60_000,
    }),
    createTaintEvictionController(context, { defaultEvictionSeconds: options.defaultEvictionSeconds ?? 300 }),
    createEndpointSliceController(context),
    createEndpointsController(context),
    createReplicaSetController(context),
    createDeploymentController(context),
    createDisruptionController(context),
    createPodGcController(context, {
      terminatedPodThreshold: options.terminatedPodThreshold ?? 12_500,
      orphanGraceMs: options.podOrphanGraceMs ?? 40_000,
    }),
    createEphemeralVolumeController(context),
    ...(options.quotas ? [createResourceQuotaController(context, types, options.quotas)] : []),
    createVolumeBinder(context),
    ...createStorageProtection(context),
    ...(options.customKinds ? [createDefinitionController(context, options.customKinds)] : []),
    createNamespaceController(context, types),
    createGarbageCollector(context, types),
  ];
}

function createSigner(
  context: ControllerContext,
  signer: NonNullable<ControllersOptions['signer']>,
): Controller {
  const { client, clock, log, informers } = context;
  return createCertificatesController({
    client,
    clock,
    log,
    requests: informers.get(kinds.certificateSigningRequests),
    nodes: informers.get(kinds.nodes),
    ...signer,
  });
}
