/**
 * What a request to the agent's API amounts to in the API's own terms: a verb on a subresource of the node, as the
 * documented kubelet authorization has it. Pure. Called by access.ts.
 *
 * Several subresources: any one of them is enough. The fine-grained ones (`nodes/pods`, `nodes/healthz`,
 * `nodes/configz`) come first, `nodes/proxy` covers what it always did. The path is taken apart by the same code that
 * routes it, so that no spelling of a path is judged as another one.
 */
import { segmentsOf } from './routes.js';

export interface AccessAttributes {
  verb: string;
  subresources: readonly string[];
}

const verbs: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** By the first segment of the path. */
const table: ReadonlyMap<string, readonly string[]> = new Map([
  ['stats', ['stats']],
  ['metrics', ['metrics']],
  ['logs', ['log']],
  ['spec', ['spec']],
  ['pods', ['pods', 'proxy']],
  ['runningpods', ['pods', 'proxy']],
  ['healthz', ['healthz', 'proxy']],
  ['configz', ['configz', 'proxy']],
]);

/** A GET can be upgraded to a shell: these always count as `create`. */
const commanding: ReadonlySet<string> = new Set(['exec', 'attach', 'run', 'portForward']);

/** CONNECT, which reaches into pods, is `create` on `proxy` whatever its target. */
export function accessAttributes(method: string, url: string): AccessAttributes {
  if (method === 'CONNECT') return { verb: 'create', subresources: ['proxy'] };
  const [first = ''] = segmentsOf(url);
  return {
    verb: commanding.has(first) ? 'create' : (verbs[method] ?? ''),
    subresources: table.get(first) ?? ['proxy'],
  };
}
