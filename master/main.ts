/**
 * The master's composition root, in three steps: the inside (`core.ts`), the API (`api.ts`), and what works on its objects.
 * Called by `wherry master` and by tests that want a whole one.
 *
 *   lock -> store -> registry -> objects every cluster has -> HTTPS API -> controllers and scheduler
 *
 * The API answers before the controllers run. A stop goes the other way: controllers first, then the API drains its
 * requests and ends its watches, then the store closes. Everything may be killed at any moment instead.
 */
import { setMaxListeners } from 'node:events';
import { createInformers } from '../src/client/informers.js';
import { type Component, healthOf, startAll, stopAll } from '../src/host/component.js';
import { createTypeCheckController } from './admission/typecheck.js';
import { type Api, startApi } from './api.js';
import { writeAdminKubeconfig } from './auth/kubeconfig.js';
import { createBootstrapController } from './bootstrap.js';
import { createUpkeep } from './certificates/upkeep.js';
import { createControllers } from './controllers/index.js';
import { addressOf, type Core, type MasterDeps, type Run, startCore, urlHost } from './core.js';
import type { HttpServer } from './http/server.js';
import type { MasterOptions } from './options.js';
import { servedTypes } from './resources/followed.js';
import { createScheduler } from './scheduler/scheduler.js';

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
        const core = await startCore(options, deps, run);
        const api = await startApi(core, run);
        http = api.http;
        core.certificates.onChange(() => useCertificates(core, api.http));
        await startControl(core, api, run);
        deps.log.info({ address: core.address, dataDir: options.dataDir }, 'API serves');
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

/** The controllers and the scheduler, on one set of informers. */
async function startControl(
  { client, clock, log, options, pki, certificates, registry, api }: Core,
  served: Api,
  run: Run,
): Promise<void> {
  const informers = createInformers({ client, clock, log });
  const common = { client, clock, log, informers };
  const { resources } = registry;
  const controllers = createControllers({
    ...common,
    options: {
      clusterCidr: options.clusterCidr,
      nodeMonitorGracePeriodMs: options.nodeMonitorGracePeriodMs,
      defaultEvictionSeconds: options.defaultEvictionSeconds,
      clusterInfo: {
        server: () => `https://${addressOf(api)}`,
        kubeletServingCaPem: () => pki.authorities.kubeletServing.trusted.join(''),
      },
      caPem: () => pki.ca,
      onCaChange: certificates.onChange,
      signer: {
        authority: (purpose) =>
          purpose === 'server' ? pki.authorities.kubeletServing.signing : pki.authority,
        lifetimeMs: options.certificates.signingDurationMs,
        serviceCidr: options.serviceCidr,
      },
      issueToken: served.issuer.issueLegacy,
      types: servedTypes(resources),
      customKinds: served.customKinds,
      quotas: served.quotas,
    },
  });
  served.measure(controllers);
  const bootstrap = createBootstrapController({ ...common, api });
  // The address of the API may be another.
  certificates.onChange(() => bootstrap.enqueue('cluster'));
  const others = [
    bootstrap,
    controllers,
    served.aggregation.controllers(informers),
    createTypeCheckController({ ...common, resources }),
    createScheduler(common),
    createUpkeep({ ...common, certificates }),
  ];
  await run(informers);
  for (const part of others) await run(part);
}

/** What is not read when it is needed: the server's own certificate, and the administrator's kubeconfig. */
function useCertificates({ pki, api, options, log }: Core, http: HttpServer): void {
  http.renew({ ...pki.serving, ca: pki.ca });
  writeAdminKubeconfig(options.adminKubeconfig, `https://${addressOf(api)}`, pki).catch((err: unknown) =>
    log.error({ err }, "cannot write the administrator's kubeconfig"),
  );
}
