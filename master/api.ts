/**
 * The API as the outside sees it: ways to agents and pods, who may come in and do what, admission, custom and aggregated
 * kinds, and the HTTPS server in front. Second of the three steps of `main.ts`.
 */
import { randomUUID } from 'node:crypto';
import { Registry } from 'prom-client';
import { type Component, healthyNow } from '../src/host/component.js';
import { type Access, createAccess } from './access.js';
import { configurable, createBuiltInAdmission } from './admission/builtin.js';
import { createAdmissionChain } from './admission/chain.js';
import { readPluginConfiguration } from './admission/configuration.js';
import { createQuotaLedger, type QuotaLedger } from './admission/plugins/quota/ledger.js';
import { type Aggregation, createAggregation } from './aggregation/aggregation.js';
import { type Caller, createCaller } from './aggregation/caller.js';
import { createPodDial } from './aggregation/poddial.js';
import { type Audit, createAudit } from './audit/audit.js';
import type { TokenIssuer } from './auth/authn/issuer.js';
import { createRbacGuard } from './auth/rbacguard.js';
import { expirationFigures } from './certificates/upkeep.js';
import type { Controllers } from './controllers/index.js';
import { type Core, type Run, self } from './core.js';
import { type AgentCredentials, AgentLink } from './http/agentlink.js';
import { Backends } from './http/backends.js';
import type { MoreDocument } from './http/documents.js';
import { readDescriptions } from './http/openapi-descriptions.js';
import { HttpServer } from './http/server.js';
import { summaryFetcher } from './metrics/agents.js';
import { metricsPage } from './metrics/page.js';
import { RequestStats } from './metrics/requests.js';
import { usageMetrics } from './metrics/usage.js';
import { createConversion } from './registry/custom/review.js';
import { type CustomKinds, createCustomKinds } from './registry/custom/serving.js';
import { prefixOf } from './registry/keys.js';
import { componentStatusesOf } from './registry/kinds/componentstatus.js';

export interface Api {
  http: HttpServer;
  issuer: TokenIssuer;
  customKinds: CustomKinds;
  quotas: QuotaLedger;
  aggregation: Aggregation;
  /** Asked for the figures of work queues from now on. */
  measure(controllers: Controllers): void;
}

/** Each part runs before the next one starts; when it resolves, the API answers. */
export async function startApi(core: Core, run: Run): Promise<Api> {
  const { registry, client, clock, log, pki } = core;
  const ways = await openWays(core, run);
  const customKinds = createCustomKinds({
    resources: registry.resources,
    client,
    conversion: (definition) => createConversion({ caller: ways.caller, newUid: randomUUID }, definition),
  });
  await customKinds.load();
  const access = await createAccess(core);
  const { authorizer, authentication } = access;
  for (const part of authentication.parts) await run(part);
  const common = { client, resources: registry.resources, clock, log, authorizer };
  const chain = createAdmissionChain({
    ...{ ...common, caller: ways.caller },
    authorize: (attributes) => authorizer.authorize(attributes),
    annotate: ({ context }, key, value) => context.annotate?.(key, value),
  });
  await run(chain);
  const guard = createRbacGuard({ roles: access.rbac, authorizer });
  const { options } = core;
  const figures = new Registry();
  const configuration = await readPluginConfiguration(options.admission.configFile, configurable);
  const plugins = { ...common, options, configuration, metrics: figures };
  const quotas = createQuotaLedger({ client, clock });
  const builtIn = createBuiltInAdmission(plugins, [guard, chain], quotas);
  await run(builtIn);
  core.admission.use(builtIn);
  answerVirtuals(core, ways.link);
  const requests = new RequestStats(registry.resources);
  let controllers: Controllers | undefined;
  const audit = await openAudit(core, run);
  const metrics = metricsPage({
    requests,
    more: [
      () => core.encryption.text(),
      () => expirationFigures(core.pki),
      () => figures.metrics(),
      ...(audit ? [() => audit.log.text()] : []),
    ],
    revision: () => core.store.revision(),
    countObjects: () => countObjects(core),
    queues: () => controllers?.metrics() ?? {},
  });
  const aggregation = createAggregation({
    ...{ client, resources: registry.resources, pki, dial: ways.dial, clock, log },
    onPkiChange: core.certificates.onChange,
  });
  await run(aggregation);
  const http = await createHttp(core, access, {
    requests,
    documents: new Map<string, () => MoreDocument | Promise<MoreDocument>>([
      ...authentication.issuer.documents,
      ['/metrics', metrics],
    ]),
    aggregator: aggregation.aggregator,
    audit: audit?.log,
  });
  await run(http);
  await run(access.rbac);
  await run(access.nodeGraph);
  return {
    http,
    issuer: authentication.issuer,
    customKinds,
    quotas,
    aggregation,
    measure: (given) => {
      controllers = given;
    },
  };
}

/** Undefined when no flag asks for one. It takes events until the last request is answered. */
async function openAudit({ options, clock, log }: Core, run: Run): Promise<Audit | undefined> {
  if (!options.audit) return undefined;
  const audit = await createAudit(options.audit, { clock, log });
  await run(audit);
  return audit;
}

interface Ways {
  link: AgentLink;
  dial: ReturnType<typeof createPodDial>;
  caller: Caller;
}

/** From the master to agents, to pods through their agents, and to webhooks. */
async function openWays({ registry, client, clock, pki }: Core, run: Run): Promise<Ways> {
  const link = new AgentLink(() => agentCredentials(pki));
  await run(closing('agent-link', () => link.close()));
  const backends = new Backends({ registry, link });
  await run(closing('backends', () => backends.close()));
  const dial = createPodDial(backends, self);
  const caller = createCaller({ client, clock, dial });
  await run(closing('caller', () => caller.close()));
  return { link, dial, caller };
}

const agentCredentials = ({ kubeletClient, authorities, ca }: Core['pki']): AgentCredentials => ({
  ...kubeletClient,
  ca: authorities.kubeletServing.trusted.join(''),
  formerCa: ca,
});

/** Scheduler and controllers are parts of the process that answers; the store can fail on its own. */
function answerVirtuals({ virtuals, store, client, clock, log }: Core, link: AgentLink): void {
  const parts = { scheduler: () => healthyNow, 'controller-manager': () => healthyNow };
  virtuals.set('componentstatuses.', componentStatusesOf({ ...parts, 'etcd-0': () => store.healthy() }));
  addAll(virtuals, usageMetrics({ client, clock, log, fetchSummary: summaryFetcher(link) }));
}

interface Pages {
  requests: RequestStats;
  documents: Map<string, () => MoreDocument | Promise<MoreDocument>>;
  aggregator: Aggregation['aggregator'];
  audit: Audit['log'] | undefined;
}

async function createHttp(core: Core, access: Access, pages: Pages): Promise<HttpServer> {
  const { options, registry, pki, clock, log, store, address } = core;
  return new HttpServer({
    ...{ registry, clock, log: log.child({ component: 'http' }), ...pages },
    authenticator: access.authentication.authenticator,
    frontProxy: access.authentication.frontProxy,
    anonymousPaths: access.authentication.anonymousPaths,
    authorizer: access.authorizer,
    serving: { ...pki.serving, ca: pki.ca },
    servingFor: (serverName) => pki.servingByAuthority.get(serverName),
    agentCredentials: () => agentCredentials(pki),
    bindAddress: options.bindAddress,
    port: options.securePort,
    ...options.listen,
    serverAddress: address,
    descriptions: await readDescriptions(),
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

/** The store knows how many keys lie behind the first one: nothing is read for it. */
async function countObjects({ registry, store }: Core): Promise<ReadonlyMap<string, number>> {
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
