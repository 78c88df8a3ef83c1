/**
 * The master's composition root: the only place that knows every part of the control plane. Called by `wherry master`
 * and by tests that want a whole one.
 *
 *   lock -> store -> registry -> objects every cluster has -> HTTPS API -> controllers and scheduler
 *
 * The API answers before the controllers run. A stop goes the other way: controllers first, then the API drains its
 * requests and ends its watches, then the store closes. Everything may be killed at any moment instead.
 */
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { isReason } from '../src/api/errors.js';
import { pods } from '../src/api/kinds.js';
import type { Client } from '../src/client/client.js';
import { createInformers } from '../src/client/informers.js';
import type { Clock } from '../src/host/clock.js';
import { type Component, healthOf, healthyNow, startAll, stopAll } from '../src/host/component.js';
import { createLock, ensureDirectory } from '../src/host/files.js';
import type { Logger } from '../src/host/log.js';
import { findAdvertiseAddress } from './address.js';
import { createAdmissionChain } from './admission/chain.js';
import { inSequence } from './admission/sequence.js';
import { createAdmissionSlot } from './admission/slot.js';
import { createTypeCheckController } from './admission/typecheck.js';
import { createAggregation } from './aggregation/aggregation.js';
import type { Aggregator } from './aggregation/aggregator.js';
import { createCaller } from './aggregation/caller.js';
import { createPodDial } from './aggregation/poddial.js';
import type { Authenticator, Authorizer } from './auth/auth.js';
import { createAuthenticator } from './auth/authenticator.js';
import { createAuthorizer } from './auth/authorizer.js';
import { createTokenIssuer, type TokenIssuer } from './auth/issuer.js';
import { writeAdminKubeconfig } from './auth/kubeconfig.js';
import { ensurePki, type Pki } from './auth/pki.js';
import { createRbac } from './auth/rbac.js';
import { createRbacGuard } from './auth/rbacguard.js';
import { apiServiceIp, createBootstrapController, ensureBootstrap } from './bootstrap.js';
import { type Controllers, createControllers } from './controllers/index.js';
import { AgentLink } from './http/agentlink.js';
import { Backends } from './http/backends.js';
import type { MoreDocument, MoreDocuments } from './http/documents.js';
import { readDescriptions } from './http/openapi-descriptions.js';
import { HttpServer } from './http/server.js';
import { summaryFetcher } from './metrics/agents.js';
import { metricsPage } from './metrics/page.js';
import { RequestStats } from './metrics/requests.js';
import { usageMetrics } from './metrics/usage.js';
import type { MasterOptions } from './options.js';
import { createRegistryClient } from './registry/client.js';
import { createConversion } from './registry/custom/review.js';
import { createCustomKinds } from './registry/custom/serving.js';
import { createRegistry, stamp } from './registry/generic.js';
import { prefixOf } from './registry/keys.js';
import { componentStatusesOf } from './registry/kinds/componentstatus.js';
import { createServiceAllocator } from './registry/kinds/serviceallocator.js';
import type { Registry, User } from './registry/registry.js';
import type { Action, Virtual } from './registry/virtual.js';
import { servedTypes } from './resources/followed.js';
import { createResources } from './resources/table.js';
import { createReviews } from './reviews/reviews.js';
import { createScheduler } from './scheduler/scheduler.js';
import { FileStore } from './store/file.js';
import type { Store } from './store/store.js';

export interface MasterDeps {
  clock: Clock;
  log: Logger;
}

/** The master's own parts: they are trusted, and do not go through the authorizer. */
const self: User = { name: 'system:wherry-master', groups: ['system:masters'] };

const renewCheckMs = 24 * 3_600_000;

export interface Master extends Component {
  /** Where the API listens, as `https://host:port`; only after `start`. */
  url(): string;
}

export function createMaster(options: MasterOptions, deps: MasterDeps): Master {
  const running: Component[] = [];
  const stopping = new AbortController();
  // Every part listens to it, and there are more than ten.
  setMaxListeners(0, stopping.signal);
  let http: HttpServer | undefined;

  async function run(component: Component): Promise<void> {
    await startAll([component], stopping.signal);
    running.push(component);
  }

  return {
    name: 'master',
    async start(signal) {
      const giveUp = (): void => stopping.abort();
      signal.addEventListener('abort', giveUp, { once: true });
      try {
        const directory = join(options.dataDir, 'master');
        await ensureDirectory(directory, 0o700);
        await run(createLock(join(directory, 'lock')));
        http = await startApi(options, deps, directory, run);
      } catch (error) {
        await stopAll(running.splice(0));
        throw error;
      } finally {
        // From here on only `stop` ends the parts, one after the other.
        signal.removeEventListener('abort', giveUp);
      }
    },
    async stop() {
      await stopAll(running.splice(0));
      stopping.abort();
    },
    healthy: () => healthOf(running),
    url: () => `https://${urlHost(http?.address().address ?? '')}:${http?.address().port}`,
  };
}

const urlHost = (ip: string): string => (ip.includes(':') ? `[${ip}]` : ip);

/** Everything behind the lock, in order; each part runs before the next one starts. */
async function startApi(
  options: MasterOptions,
  { clock, log }: MasterDeps,
  directory: string,
  run: (component: Component) => Promise<void>,
): Promise<HttpServer> {
  const advertise = await advertiseAddress(options);
  const pkiOptions = {
    directory,
    clock,
    dnsNames: [hostname()],
    ips: [...new Set([advertise, apiServiceIp(options.serviceCidr), ...specific(options.bindAddress)])],
  };
  const store = new FileStore({ directory: join(directory, 'store'), stamp, clock, log });
  const pki = await ensurePki(pkiOptions);
  await run(store);
  const virtuals = new Map<string, Virtual>();
  const actions = new Map<string, Action>();
  const admission = createAdmissionSlot();
  const registry = createRegistry({
    ...{ virtuals, actions, admission },
    ...{ store, resources: createResources(options.defaultEvictionSeconds), clock, log, newUid: randomUUID },
    allocators: new Map([['services.', createServiceAllocator(options)]]),
  });
  await run(registry);

  const client = createRegistryClient(registry, self);
  const api = { address: advertise, port: options.securePort, serviceCidr: options.serviceCidr };
  await ensureBootstrap(client, api, new AbortController().signal);
  const link = new AgentLink(() => ({ ...pki.kubeletClient, ca: pki.ca }));
  await run(closing('agent-link', () => link.close()));
  const backends = new Backends({ registry, link });
  await run(closing('backends', () => backends.close()));
  const dial = createPodDial(backends, self);
  const caller = createCaller({ client, clock, dial });
  await run(closing('caller', () => caller.close()));
  const conversion = { caller, newUid: randomUUID };
  const customKinds = createCustomKinds({
    resources: registry.resources,
    client,
    conversion: (definition) => createConversion(conversion, definition),
  });
  await customKinds.load();
  const address = `${urlHost(advertise)}:${options.securePort}`;
  await writeAdminKubeconfig(options.adminKubeconfig, `https://${address}`, pki);

  const descriptions = await readDescriptions();
  const issuer = await createTokenIssuer({ key: pki.serviceAccountKey, address, clock });
  const authenticator = createAuthenticator({ adminToken: pki.adminToken, client, clock, issuer });
  const rbac = createRbac({ client, clock, log });
  const authorizer = createAuthorizer({
    nodeOfPod: (namespace, name) => nodeOfPod(client, namespace, name),
    rbac,
  });
  const reviews = createReviews({ authenticator, authorizer, issuer, client, clock });
  addAll(virtuals, reviews.virtuals);
  addAll(actions, reviews.actions);
  const chain = createAdmissionChain({
    ...{ client, resources: registry.resources, caller, clock, log },
    authorize: (attributes) => authorizer.authorize(attributes),
  });
  await run(chain);
  admission.use(inSequence([chain, createRbacGuard({ roles: rbac, authorizer })]));
  // Scheduler and controllers are parts of the process that answers; the store can fail on its own.
  const parts = { scheduler: () => healthyNow, 'controller-manager': () => healthyNow };
  virtuals.set('componentstatuses.', componentStatusesOf({ ...parts, 'etcd-0': () => store.healthy() }));
  addAll(virtuals, usageMetrics({ client, clock, log, fetchSummary: summaryFetcher(link) }));
  const requests = new RequestStats(registry.resources);
  let controllers: Controllers | undefined;
  const documents = new Map<string, () => MoreDocument | Promise<MoreDocument>>([
    ...documentsOf(issuer),
    [
      '/metrics',
      metricsPage({
        requests,
        revision: () => store.revision(),
        countObjects: () => countObjects(registry, store),
        queues: () => controllers?.metrics() ?? {},
      }),
    ],
  ]);
  const aggregation = createAggregation({
    ...{ client, resources: registry.resources, pki, dial, clock, log },
  });
  await run(aggregation);
  const http = createHttp({
    ...{ options, registry, pki, address, clock, log, store, descriptions },
    ...{ authenticator, authorizer, requests, documents, aggregator: aggregation.aggregator },
  });
  await run(http);
  await run(rbac);
  await run(createRenewal({ http, clock, log, renew: () => ensurePki(pkiOptions) }));

  const informers = createInformers({ client, clock, log });
  const bootstrap = createBootstrapController({ client, informers, clock, log, api });
  controllers = createControllers({
    client,
    clock,
    log,
    informers,
    options: {
      clusterCidr: options.clusterCidr,
      nodeMonitorGracePeriodMs: options.nodeMonitorGracePeriodMs,
      defaultEvictionSeconds: options.defaultEvictionSeconds,
      caPem: pki.ca,
      signer: { authority: pki.authority, reservedIps: [apiServiceIp(options.serviceCidr)] },
      types: servedTypes(registry.resources),
      customKinds,
    },
  });
  const scheduler = createScheduler({ client, clock, log, informers });
  await run(informers);
  await run(bootstrap);
  await run(controllers);
  await run(aggregation.controllers(informers));
  await run(createTypeCheckController({ client, informers, resources: registry.resources, clock, log }));
  await run(scheduler);
  log.info({ address, dataDir: options.dataDir }, 'API serves');
  return http;
}

async function advertiseAddress({ advertiseAddress: given, bindAddress }: MasterOptions): Promise<string> {
  return given ?? specific(bindAddress)[0] ?? findAdvertiseAddress();
}

/** The address, unless it means "all". */
const specific = (bindAddress: string): string[] =>
  /^(?:0\.0\.0\.0|::)$/.test(bindAddress) ? [] : [bindAddress];

interface HttpParts extends MasterDeps {
  options: MasterOptions;
  registry: Registry;
  pki: Pki;
  authenticator: Authenticator;
  authorizer: Authorizer;
  requests: RequestStats;
  aggregator: Aggregator;
  documents: MoreDocuments;
  address: string;
  store: Component;
  descriptions: Buffer | undefined;
}

function createHttp(parts: HttpParts): HttpServer {
  const { options, registry, pki, address, clock, log, store, descriptions } = parts;
  return new HttpServer({
    registry,
    clock,
    log: log.child({ component: 'http' }),
    authenticator: parts.authenticator,
    authorizer: parts.authorizer,
    requests: parts.requests,
    documents: parts.documents,
    aggregator: parts.aggregator,
    serving: { ...pki.serving, ca: pki.ca },
    agentCredentials: () => ({ ...pki.kubeletClient, ca: pki.ca }),
    bindAddress: options.bindAddress,
    port: options.securePort,
    serverAddress: address,
    descriptions,
    healthChecks: [{ name: 'store', check: () => store.healthy() }],
  });
}

/** Something that only has to be closed at the end. */
const closing = (name: string, close: () => void): Component => ({
  name,
  start: async () => undefined,
  stop: async () => close(),
  healthy: () => healthyNow,
});

const documentsOf = (issuer: TokenIssuer): MoreDocuments =>
  new Map([...issuer.documents].map(([path, document]) => [path, () => document]));

/** The store knows how many keys lie behind the first one: nothing is read for it. */
async function countObjects(registry: Registry, store: Store): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const { type } of registry.resources.stored) {
    const { entries, remaining } = await store.range(prefixOf(type), { limit: 1 });
    counts.set(
      type.group === '' ? type.resource : `${type.resource}.${type.group}`,
      entries.length + remaining,
    );
  }
  return counts;
}

function addAll<K, V>(target: Map<K, V>, more: ReadonlyMap<K, V>): void {
  for (const [key, value] of more) target.set(key, value);
}

async function nodeOfPod(client: Client, namespace: string, name: string): Promise<string | undefined> {
  try {
    const pod = await client.get(pods, { namespace, name });
    return pod.spec?.nodeName ?? '';
  } catch (error) {
    if (isReason(error, 'NotFound')) return undefined;
    throw error;
  }
}

interface RenewalOptions extends MasterDeps {
  http: HttpServer;
  renew(): Promise<Pki>;
}

/** Once a day: certificates that near their end are replaced without a restart. */
function createRenewal({ http, clock, log, renew }: RenewalOptions): Component {
  let cancel = (): void => undefined;
  async function check(): Promise<void> {
    try {
      const pki = await renew();
      http.renew({ ...pki.serving, ca: pki.ca });
    } catch (err) {
      log.error({ err }, 'cannot renew certificates, will try again tomorrow');
    }
    plan();
  }
  function plan(): void {
    cancel = clock.after(renewCheckMs, () => void check());
  }
  return {
    name: 'renewal',
    start: async () => plan(),
    stop: async () => cancel(),
    healthy: () => healthyNow,
  };
}
