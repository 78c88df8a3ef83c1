/**
 * A front proxy names the user in headers (`X-Remote-User` and its like), and is believed because of its certificate: the
 * caller has checked that. Pure. Called by the HTTP layer.
 */
import type { User } from '../../registry/registry.js';

/** Header names in lowercase. */
export interface FrontProxyHeaders {
  userHeaders: readonly string[];
  uidHeaders: readonly string[];
  groupHeaders: readonly string[];
  extraPrefixes: readonly string[];
}

/** Every value by header name in lowercase, as node's `headersDistinct`. */
export type DistinctHeaders = Readonly<Record<string, readonly string[] | undefined>>;

/**
 * The user that the headers name; `undefined` without a name. More than one name is none: a proxy that adds its header to
 * the client's own would be tricked by it.
 */
export function userOfHeaders(
  headers: DistinctHeaders,
  { userHeaders, uidHeaders, groupHeaders, extraPrefixes }: FrontProxyHeaders,
): User | undefined {
  const values = (names: readonly string[]): string[] =>
    names.flatMap((name) => headers[name] ?? []).filter((value) => value !== '');
  const firstOf = (names: readonly string[]): readonly string[] =>
    names.map((name) => values([name])).find((found) => found.length > 0) ?? [];
  const [name, ...moreNames] = firstOf(userHeaders);
  const [uid, ...moreUids] = firstOf(uidHeaders);
  if (!name || moreNames.length + moreUids.length > 0) return undefined;
  const extra = extraOf(headers, extraPrefixes);
  return {
    name: utf8(name),
    groups: withLastGroup(name, values(groupHeaders).map(utf8)),
    ...(uid && { uid: utf8(uid) }),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}

function extraOf(headers: DistinctHeaders, prefixes: readonly string[]): Record<string, string[]> {
  const extra: Record<string, string[]> = Object.create(null);
  for (const [header, values = []] of Object.entries(headers)) {
    const prefix = prefixes.find((one) => header.startsWith(one));
    if (prefix === undefined || header.length === prefix.length) continue;
    const key = decoded(header.slice(prefix.length));
    extra[key] = [...(extra[key] ?? []), ...values.map(utf8)];
  }
  return { ...extra };
}

/** What is no percent-encoding is taken as it is, as kube-apiserver does. */
function decoded(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch (error) {
    if (error instanceof URIError) return key;
    throw error;
  }
}

/** Node reads header bytes as Latin-1. */
const utf8 = (value: string): string => Buffer.from(value, 'latin1').toString('utf8');

function withLastGroup(name: string, groups: readonly string[]): string[] {
  const isSaid = groups.some((group) => /^system:(?:un)?authenticated$/.test(group));
  if (isSaid || name === 'system:anonymous') return [...groups];
  return [...groups, 'system:authenticated'];
}
