/**
 * 1. Everything the server answers that is no resource: the path list, version, health, discovery and OpenAPI.
 */

import { gitVersion, kubernetesVersion } from '../../src/api/version.js';
import type { ResourceSet } from '../resources/set.js';
import { accepts, negotiate } from './accept.js';
import { createDiscovery, type Discovery, type RemoteKinds } from './discovery.js';
import { answerHealth, type HealthCheck } from './health.js';
import { OpenApiDocuments, openapiV2Protobuf, openapiV2ProtobufAccepted } from './openapi.js';
import type { RequestInfo } from './request.js';
import { noSuchMethod } from './status.js';

export interface Document {
  code: number;
  contentType: string;
  body: Buffer | string;
  etag?: string;
}

export interface DocumentsOptions {
  resources: ResourceSet;
  /** host:port that clients are told to use. */
  serverAddress: string;
  checks: readonly HealthCheck[];
  /** What OpenAPI says of types and fields; without it, it says nothing. */
  descriptions: Buffer | undefined;
  /** Further documents by path: metrics, those of OpenID Connect. */
  more: MoreDocuments | undefined;
  /** What aggregated API servers serve. */
  remotes?: RemoteKinds | undefined;
}

export type MoreDocuments = ReadonlyMap<string, () => MoreDocument | Promise<MoreDocument>>;
export type MoreDocument = Pick<Document, 'contentType' | 'body'>;

const json = 'application/json';
const text = 'text/plain; charset=utf-8';

export const pageNotFound: Document = { code: 404, contentType: text, body: '404 page not found\n' };

export class Documents {
  readonly #options: DocumentsOptions;
  #made: { version: string; discovery: Discovery; openapi: OpenApiDocuments } | undefined;

  constructor(options: DocumentsOptions) {
    this.#options = options;
  }

  get discovery(): Discovery {
    return this.#current().discovery;
  }

  /** Made again when kinds came or went. */
  #current(): { discovery: Discovery; openapi: OpenApiDocuments } {
    const { resources, serverAddress, descriptions, remotes } = this.#options;
    const version = `${resources.version} ${remotes?.version}`;
    if (this.#made?.version !== version) {
      this.#made = {
        version,
        discovery: createDiscovery(resources.rows, serverAddress, remotes),
        openapi: new OpenApiDocuments(
          resources.rows.map(({ type, subresources, verbs, schema, listKind }) => {
            return { ...type, subresources, verbs, schema, listKind };
          }),
          descriptions,
        ),
      };
    }
    return this.#made;
  }

  /** Throws 405 for anything but reading, 406 when the client takes none of our forms. */
  answer(info: RequestInfo, accept: string | undefined): Document | Promise<Document> {
    if (info.method !== 'GET' && info.method !== 'HEAD') throw noSuchMethod();
    const path = info.path.length > 1 && info.path.endsWith('/') ? info.path.slice(0, -1) : info.path;
    const [, head = ''] = path.split('/');
    switch (head) {
      case '':
        return { code: 200, contentType: json, body: JSON.stringify({ paths: this.#paths() }, null, 2) };
      case 'api':
      case 'apis':
        return this.#discover(path, accept);
      case 'version':
        return path === '/version' ? { code: 200, contentType: json, body: versionText } : pageNotFound;
      case 'healthz':
      case 'livez':
      case 'readyz': {
        const answer = answerHealth(path, info.query, this.#options.checks);
        return answer ? { ...answer, contentType: text } : pageNotFound;
      }
      case 'openapi':
        return this.#schema(path, accept);
      default:
        return this.#further(path);
    }
  }

  async #further(path: string): Promise<Document> {
    const document = await this.#options.more?.get(path)?.();
    return document ? { code: 200, ...document } : pageNotFound;
  }

  #discover(path: string, accept: string | undefined): Document {
    const body = this.discovery.legacy.get(path);
    if (!body) return pageNotFound;
    if (path === '/api' || path === '/apis') {
      const form = negotiate(accept);
      if (form.as === 'discovery') return { code: 200, ...this.discovery.aggregated(path, form.version) };
    }
    return { code: 200, contentType: json, body };
  }

  #schema(path: string, accept: string | undefined): Document {
    const { openapi } = this.#current();
    if (path === '/openapi/v2') {
      // Old clients name only the protobuf form and would take JSON for broken protobuf.
      const wantsProtobuf = openapiV2ProtobufAccepted.some((type) => accepts(accept, type));
      if (wantsProtobuf) return { code: 200, contentType: openapiV2Protobuf, body: openapi.v2Protobuf() };
      negotiate(accept);
      return { code: 200, contentType: json, body: openapi.v2() };
    }
    if (path === '/openapi/v3') return { code: 200, contentType: json, body: this.#schemaIndex(openapi) };
    const prefix = '/openapi/v3/';
    const body = path.startsWith(prefix) ? openapi.v3(path.slice(prefix.length)) : undefined;
    return body ? { code: 200, contentType: json, body } : pageNotFound;
  }

  /** With the paths that lead to aggregated API servers. */
  #schemaIndex(openapi: OpenApiDocuments): Buffer | string {
    const own = openapi.v3Index();
    const { remotes } = this.#options;
    if (!remotes || remotes.isEmpty) return own;
    const { paths } = JSON.parse(own.toString()) as { paths: Record<string, unknown> };
    for (const { path, hash } of remotes.schemas())
      paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` };
    return JSON.stringify({ paths });
  }

  #paths(): string[] {
    const { checks, more } = this.#options;
    const health = ['/healthz', '/livez', '/readyz'];
    const single = health.flatMap((path) => checks.map((check) => `${path}/${check.name}`));
    return [
      ...this.discovery.paths,
      ...health,
      ...single,
      '/openapi/v2',
      '/openapi/v3',
      ...(more?.keys() ?? []),
      '/version',
    ].sort();
  }
}

const [, major = '', minor = ''] = /^v(\d+)\.(\d+)/.exec(kubernetesVersion) ?? [];

/** The Kubernetes version whose API we serve; our own follows as build metadata. */
const versionInfo = {
  major,
  minor,
  gitVersion,
  // Unknown, in the form that clients check for.
  gitCommit: '0'.repeat(40),
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: `node ${process.version}`,
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
};

const versionText = `${JSON.stringify(versionInfo, null, 2)}\n`;
