/**
 * 1. APIs that somebody else serves: requests below `/apis/<group>/<version>` of an APIService with a Service go there, as
 * they come, upgrades and watches included; the answer is theirs. Called by the HTTP server once it knows who asks and
 * that they may.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { APIService, APIServiceSpec } from '../../src/api/types.js';
import type { Source } from '../../src/client/cache.js';
import type { Clock } from '../../src/host/clock.js';
import { join } from '../../src/host/join.js';
import type { Logger } from '../../src/host/log.js';
import { isShort } from '../http/patience.js';
import { switchingProtocols } from '../http/podstreams.js';
import {
  answerOf,
  requestHeaders,
  responseHeaders,
  statusMessageOf,
  upgradeHeaders,
} from '../http/proxyheaders.js';
import type { RequestInfo } from '../http/request.js';
import type { RequestScope } from '../http/scope.js';
import { dialText } from './dial.js';
import type { Discovered } from './discovered.js';
import { type Opened, openRemote, type RemoteOptions } from './remote.js';

export interface AggregatorOptions extends RemoteOptions {
  apiServices: Pick<Source<APIService>, 'onChange'>;
  discovered: Discovered;
  clock: Pick<Clock, 'after'>;
  log: Logger;
}

interface Client {
  raw: IncomingMessage;
  /** As sent. */
  url: string;
  response: ServerResponse;
}

const openapiPrefix = '/openapi/v3';
/** As long as kube-apiserver gives a request. */
const answerMs = 60_000;

export class Aggregator {
  readonly #options: AggregatorOptions;
  /** By `/apis/<group>/<version>`. */
  readonly #remotes = new Map<string, APIService>();

  constructor(options: AggregatorOptions) {
    this.#options = options;
    options.apiServices.onChange(({ old, current }) => {
      if (old?.spec?.service) this.#remotes.delete(prefixOf(old.spec));
      if (current?.spec?.service) this.#remotes.set(prefixOf(current.spec), current);
    });
  }

  get discovered(): Discovered {
    return this.#options.discovered;
  }

  /** The paths below which others serve. */
  get prefixes(): string[] {
    return [...this.#remotes.keys()];
  }

  serves(info: RequestInfo): boolean {
    return this.#remotes.size > 0 && this.#remoteOf(info) !== undefined;
  }

  #remoteOf({ path }: RequestInfo): APIService | undefined {
    const isSchema = path.startsWith(`${openapiPrefix}/`);
    const [, root, group, version] = (isSchema ? path.slice(openapiPrefix.length) : path).split('/');
    return root === 'apis' ? this.#remotes.get(`/apis/${group}/${version}`) : undefined;
  }

  /** Answers in full: with 503 when nobody serves there. */
  async serve(scope: RequestScope, { raw, url, response }: Client): Promise<void> {
    const headers = requestHeaders(raw.headers, forwardedOf(raw, url));
    const opened = await this.#open(scope, { method: raw.method ?? 'GET', path: url, headers, reuse: true });
    if (typeof opened === 'string') {
      raw.resume();
      sendText(response, opened);
      return;
    }
    pipeline(raw, opened.request).catch(() => undefined);
    const cancel = this.#endLate(opened, scope.info);
    try {
      const answer = await answerOf(opened.request);
      cancel();
      await relay(answer, response);
    } catch (error) {
      unreached(response, error, opened);
    } finally {
      cancel();
    }
  }

  /** Joins both sides when the server agrees to change the protocol; else passes on what it answers. */
  async upgrade(
    scope: RequestScope,
    raw: IncomingMessage,
    client: { socket: Duplex; head: Buffer; respond(): ServerResponse },
  ): Promise<void> {
    const url = raw.url ?? '/';
    const headers = upgradeHeaders(raw.headers, forwardedOf(raw, url));
    const opened = await this.#open(scope, { method: raw.method ?? 'GET', path: url, headers, reuse: false });
    if (typeof opened === 'string') {
      sendText(client.respond(), opened);
      return;
    }
    const upgraded = new Promise<{ answer: IncomingMessage; socket: Duplex; head: Buffer }>((resolve) => {
      opened.request.once('upgrade', (answer, socket, head) => resolve({ answer, socket, head }));
    });
    const answered = answerOf(opened.request);
    opened.request.end();
    const cancel = this.#endLate(opened, scope.info);
    let response: ServerResponse | undefined;
    try {
      const result = await Promise.race([upgraded, answered]);
      cancel();
      if (!('answer' in result)) {
        response = client.respond();
        await relay(result, response);
        return;
      }
      client.socket.write(switchingProtocols(result.answer));
      if (result.head.length > 0) client.socket.write(result.head);
      if (client.head.length > 0) result.socket.write(client.head);
      await join(client.socket, result.socket);
    } catch (error) {
      unreached(response ?? client.respond(), error, opened);
    } finally {
      cancel();
    }
  }

  /** For an answer that does not begin; what is read or sent for as long as somebody likes has no limit. */
  #endLate({ request }: Opened, info: RequestInfo): () => void {
    if (!isShort(info)) return () => undefined;
    const late = new Error(`no answer within ${answerMs} ms`);
    return this.#options.clock.after(answerMs, () => request.destroy(late));
  }

  /** The text of a 503 when there is nobody. */
  async #open(
    scope: RequestScope,
    how: { method: string; path: string; headers: ReturnType<typeof requestHeaders>; reuse: boolean },
  ): Promise<Opened | string> {
    const service = this.#remoteOf(scope.info);
    const isAvailable = service?.status?.conditions?.some(
      ({ type, status }) => type === 'Available' && status === 'True',
    );
    if (!service?.spec || !isAvailable) return 'service unavailable';
    try {
      return await openRemote(this.#options, service.spec, {
        ...how,
        user: scope.user,
        signal: scope.signal,
      });
    } catch (err) {
      this.#options.log.warn({ err, apiService: service.metadata.name }, 'an aggregated API cannot be found');
      return 'service unavailable';
    }
  }
}

const prefixOf = ({ group, version }: APIServiceSpec): string => `/apis/${group}/${version}`;

const forwardedOf = (raw: IncomingMessage, url: string) => ({
  client: raw.socket.remoteAddress,
  host: raw.headers.host,
  uri: url.split('?')[0] ?? '',
});

/**
 * A client would follow a redirect, and some show their token wherever it leads: the answer of a server that somebody
 * registered must not choose where. kube-apiserver does not pass them on either (CVE-2022-3172).
 */
async function relay(answer: IncomingMessage, response: ServerResponse): Promise<void> {
  const { statusCode = 0 } = answer;
  if (statusCode >= 300 && statusCode < 400 && answer.headers.location !== undefined) {
    answer.destroy();
    sendText(response, 'the backend attempted to redirect this request, which is not permitted', 502);
    return;
  }
  const headers = responseHeaders(answer.rawHeaders, answer.headers);
  for (const [name, value] of Object.entries(response.getHeaders())) headers.push(name, String(value));
  response.writeHead(answer.statusCode ?? 502, statusMessageOf(answer), headers);
  response.flushHeaders();
  await pipeline(answer, response);
}

function unreached(response: ServerResponse, error: unknown, { address }: Opened): void {
  if (response.headersSent) response.destroy();
  else sendText(response, `error trying to reach service: ${dialText(error, address)}`);
}

function sendText(response: ServerResponse, text: string, code = 503): void {
  response.writeHead(code, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}
