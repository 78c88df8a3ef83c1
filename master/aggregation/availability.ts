/**
 * 5. Whether each APIService can be reached: writes its condition `Available` with the reasons that Kubernetes documents,
 * and learns with the same request what it serves. Local ones always are.
 *
 *   Service -> port -> EndpointSlices -> GET /apis/<group>/<version> answers 2xx
 *
 * Looked at when the APIService, its Service or its endpoints change, and every 30 s; sooner while it is not available.
 */
import type { IncomingMessage } from 'node:http';
import { apiServices, endpointSlices, services } from '../../src/api/kinds.js';
import { parseJson } from '../../src/api/patch/json.js';
import type { APIService, APIServiceSpec } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import { type Controller, createController, on } from '../../src/client/controller.js';
import { ifFound } from '../../src/client/found.js';
import type { Informers } from '../../src/client/informers.js';
import { type Clock, toTime } from '../../src/host/clock.js';
import type { Logger } from '../../src/host/log.js';
import { answerOf } from '../http/proxyheaders.js';
import { dialText, serverNameOf } from './dial.js';
import { type ApiResource, type Discovered, resourcesOf } from './discovered.js';
import { openRemote, type RemoteOptions } from './remote.js';
import { type Address, resolveService, ServiceUnresolved } from './services.js';

export interface AvailabilityOptions {
  client: Client;
  informers: Informers;
  remote: RemoteOptions;
  discovered: Discovered;
  clock: Clock;
  log: Logger;
}

export interface Finding {
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  resources?: readonly ApiResource[] | undefined;
}

const checkMs = { whileAvailable: 30_000, else: 5_000 };
const answerMs = 5_000;
const maxDocumentBytes = 4 * 1024 * 1024;
/** Every client of the cluster reads them all. */
const maxResources = 10_000;
/** Who asks; it may discover everything. */
const aggregatorUser = { name: 'system:kube-aggregator', groups: ['system:masters'] };

const local: Finding = {
  status: 'True',
  reason: 'Local',
  message: 'Local APIServices are always available',
};

export function createAvailabilityController(options: AvailabilityOptions): Controller {
  const { client, informers, discovered, clock, log } = options;
  const cache = informers.get(apiServices);
  const sliceService = 'kubernetes.io/service-name';

  const behind = (namespace: string | undefined, name: string | undefined): string[] =>
    cache.list().flatMap(({ metadata, spec }) => {
      const isMeant = spec?.service?.namespace === namespace && spec?.service?.name === name;
      return isMeant && metadata.name ? [metadata.name] : [];
    });

  return createController({
    name: 'apiservice-availability',
    clock,
    log,
    workers: 4,
    sources: [
      on(cache),
      on(informers.get(services), ({ old, current }) => {
        const { namespace, name } = (current ?? old)?.metadata ?? {};
        return behind(namespace, name);
      }),
      on(informers.get(endpointSlices), ({ old, current }) => {
        const { namespace, labels } = (current ?? old)?.metadata ?? {};
        return behind(namespace, labels?.[sliceService]);
      }),
    ],
    reconciler: {
      async reconcile(name, { signal }) {
        const service = cache.get({ name });
        if (!service?.spec?.service) discovered.remove(name);
        if (!service?.spec) return;
        const finding = service.spec.service ? await examine(options, service.spec, signal) : local;
        signal.throwIfAborted();
        if (service.spec.service) discovered.put(name, service.spec, finding.resources);
        await writeCondition(client, service, finding, toTime(clock.now()));
        if (!service.spec.service) return;
        return { requeueAfterMs: finding.status === 'True' ? checkMs.whileAvailable : checkMs.else };
      },
    },
  });
}

async function writeCondition(
  client: Client,
  service: APIService,
  { status, reason, message }: Finding,
  now: string,
): Promise<void> {
  const others = (service.status?.conditions ?? []).filter(({ type }) => type !== 'Available');
  const old = service.status?.conditions?.find(({ type }) => type === 'Available');
  if (old?.status === status && old.reason === reason && old.message === message) return;
  const lastTransitionTime = old?.status === status ? (old.lastTransitionTime ?? now) : now;
  const condition = { type: 'Available', status, reason, message, lastTransitionTime };
  await ifFound(
    client.update(
      apiServices,
      { ...service, status: { ...service.status, conditions: [...others, condition] } },
      { subresource: 'status' },
    ),
  );
}

/** Never rejects but with the reason of `signal`. */
export async function examine(
  { client, remote, clock }: Pick<AvailabilityOptions, 'client' | 'remote' | 'clock'>,
  spec: APIServiceSpec,
  signal: AbortSignal,
): Promise<Finding> {
  const { namespace = '', name = '', port = 443 } = spec.service ?? {};
  let address: Address;
  try {
    address = await resolveService(client, { namespace, name, port }, () => 0);
  } catch (error) {
    return unresolved(error, { namespace, name, port });
  }
  const path = `/apis/${spec.group}/${spec.version}`;
  const url = `https://${serverNameOf({ namespace, name })}:${port}${path}`;
  const failed = (why: string): Finding => ({
    status: 'False',
    reason: 'FailedDiscoveryCheck',
    message: `failing or missing response from ${url}: ${why}`,
  });
  const ending = new AbortController();
  const abort = (): void => ending.abort();
  const cancel = clock.after(answerMs, abort);
  signal.addEventListener('abort', abort, { once: true });
  try {
    const headers = { accept: 'application/json' };
    const how = { method: 'GET', path, headers, user: aggregatorUser, reuse: true, signal: ending.signal };
    const { request } = await openRemote(remote, spec, how);
    const answered = answerOf(request);
    request.end();
    const answer = await answered;
    const text = await textOf(answer);
    const code = answer.statusCode ?? 0;
    if (code < 200 || code > 299) return failed(`bad status from ${url}: ${code}`);
    const resources = resourcesOf(parseJson(text)) ?? [];
    if (resources.length > maxResources) return failed(`it lists more than ${maxResources} resources`);
    const passed = { status: 'True', reason: 'Passed', message: 'all checks passed' } as const;
    // An API server that does not list its resources is available all the same.
    return { ...passed, resources };
  } catch (error) {
    const why = ending.signal.aborted ? 'context deadline exceeded' : dialText(error, address);
    return failed(`Get ${JSON.stringify(url)}: ${why}`);
  } finally {
    cancel();
    signal.removeEventListener('abort', abort);
  }
}

function unresolved(
  error: unknown,
  { namespace, name, port }: { namespace: string; name: string; port: number },
): Finding {
  const place = `service/${name} in ${JSON.stringify(namespace)}`;
  if (!(error instanceof ServiceUnresolved)) {
    const message = `${place} cannot be checked due to: ${(error as Error).message}`;
    return { status: 'Unknown', reason: 'ServiceAccessError', message };
  }
  const messages: Record<ServiceUnresolved['reason'], string> = {
    ServiceNotFound: `${place} is not present`,
    ServicePortError: `${place} is not listening on port ${port}`,
    EndpointsNotFound: `cannot find endpointslices for ${place}`,
    MissingEndpoints: `endpointslices for ${place} have no addresses`,
  };
  return { status: 'False', reason: error.reason, message: messages[error.reason] };
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxDocumentBytes) throw new Error(`the answer is larger than ${maxDocumentBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
