/**
 * 1. What a request asks for, read from its method and URL as kube-apiserver derives its RequestInfo. Pure.
 *
 * Called once per request by `server.ts`; authorization, routing and audit all look at the result and at nothing
 * else. Segments are percent-decoded one by one, so a name can never add a segment. The deprecated
 * `/api/v1/watch/...` paths are not resources and answer 404.
 */
import { badRequest } from '../../src/api/errors.js';
import { parseFieldSelector } from '../../src/api/selectors.js';

/** `verb` is a Kubernetes verb for resources, the lowercase HTTP method else. */
export interface RequestInfo {
  method: string;
  /** As sent, decoded, without the query. */
  path: string;
  query: URLSearchParams;
  verb: string;
  /** Absent for paths that are no resource: discovery, health, OpenAPI. */
  target: ResourceTarget | undefined;
}

export interface ResourceTarget {
  group: string;
  version: string;
  resource: string;
  subresource: string;
  /** Of a namespace itself it is that namespace, as authorization wants it. */
  namespace: string | undefined;
  name: string | undefined;
  /** Segments behind the subresource; of a proxy one string as it was sent, '' for a slash only. */
  rest: readonly string[];
}

const noQuery = new URLSearchParams();

const verbs: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** What may follow `/namespaces/x/` without being a namespaced resource. */
const namespaceSubresources: ReadonlySet<string> = new Set(['status', 'finalize']);

/** Up to and with `proxy`: what follows is the backend's, not ours to read. */
const proxied = /^\/api\/[^/]+\/(?:namespaces\/[^/]+\/)?[^/]+\/[^/]+\/proxy(?=\/)/;

/** Throws `BadRequest` for a URL that cannot be decoded, or that somebody further on might read as another one. */
export function parseRequest(method: string, url: string): RequestInfo {
  const mark = url.indexOf('?');
  const rawPath = mark < 0 ? url : url.slice(0, mark);
  const query = mark < 0 || mark === url.length - 1 ? noQuery : new URLSearchParams(url.slice(mark + 1));
  const prefix = rawPath.includes('/proxy/') ? proxied.exec(rawPath)?.[0] : undefined;
  const segments = splitPath(prefix ?? rawPath);
  const target = resourceTarget(segments);
  if (target && prefix !== undefined) target.rest = [rawPath.slice(prefix.length + 1)];
  const path = rawPath.includes('%') ? `/${segments.join('/')}` : rawPath;
  const verb = target ? resourceVerb(method, target, query) : method.toLowerCase();
  if (target && (verb === 'list' || verb === 'watch') && target.name === undefined) {
    const name = selectedName(query.get('fieldSelector'));
    return { method, path, query, verb, target: name === undefined ? target : { ...target, name } };
  }
  return { method, path, query, verb, target };
}

/**
 * The name that a selector asks for: who may read one object by its name may also list and watch it so. Read as the list
 * itself reads it, since a comma may be escaped; what cannot be read is refused there.
 */
function selectedName(selector: string | null): string | undefined {
  if (!selector?.includes('metadata.name')) return undefined;
  try {
    const terms = parseFieldSelector(selector);
    return (
      terms.find(({ field, operator }) => field === 'metadata.name' && operator === '=')?.value || undefined
    );
  } catch {
    return undefined;
  }
}

/** Boolean query parameters: absent, `0` and `false` are false, anything else is true (apimachinery conversion). */
export function isTrue(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value !== null && value !== '0' && value.toLowerCase() !== 'false';
}

function splitPath(path: string): string[] {
  const trimmed = path.slice(
    path.startsWith('/') ? 1 : 0,
    path.length > 1 && path.endsWith('/') ? -1 : undefined,
  );
  if (trimmed === '') return [];
  const sent = trimmed.split('/');
  const segments = path.includes('%') ? sent.map(decodeSegment) : sent;
  const mayStep = segments !== sent || path.includes('/.');
  const step = mayStep && segments.find((segment) => segment === '.' || segment === '..');
  if (step) throw badRequest(`invalid path segment ${JSON.stringify(step)}`);
  return segments;
}

function decodeSegment(segment: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(segment);
  } catch (error) {
    throw badRequest(`the path segment ${JSON.stringify(segment)} is not valid percent-encoding`, error);
  }
  if (decoded.includes('/') || decoded.includes('\0')) {
    throw badRequest(`invalid path segment ${JSON.stringify(decoded)}: may not contain '/'`);
  }
  return decoded;
}

/**
 * `/api/v1/...` or `/apis/<group>/<version>/...`; undefined for shorter or other paths. With an empty segment it is a
 * resource without a name, which only those may ask for who may everything: another server might skip the segment.
 */
function resourceTarget(segments: readonly string[]): ResourceTarget | undefined {
  const core = segments[0] === 'api';
  const prefix = core ? 2 : 3;
  if ((!core && segments[0] !== 'apis') || segments.length <= prefix) return undefined;
  const group = core ? '' : (segments[1] ?? '');
  const version = segments[prefix - 1] ?? '';
  const parts = segments.slice(prefix);
  if (parts.includes('')) return build(group, version, undefined, ['']);
  if (parts[0] !== 'namespaces') return build(group, version, undefined, parts);
  const namespace = parts[1];
  const namespaced = parts.length > 2 && !namespaceSubresources.has(parts[2] ?? '');
  return build(group, version, namespace, namespaced ? parts.slice(2) : parts);
}

function build(
  group: string,
  version: string,
  namespace: string | undefined,
  parts: readonly string[],
): ResourceTarget {
  const [resource = '', name, subresource = '', ...rest] = parts;
  return { group, version, resource, subresource, namespace, name, rest };
}

function resourceVerb(method: string, target: ResourceTarget, query: URLSearchParams): string {
  const verb = verbs[method] ?? method.toLowerCase();
  if (target.name !== undefined) return verb;
  if (verb === 'get') return isTrue(query, 'watch') ? 'watch' : 'list';
  return verb === 'delete' ? 'deletecollection' : verb;
}
