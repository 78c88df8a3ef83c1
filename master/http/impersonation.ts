/**
 * 1. Acting as somebody else: the `Impersonate-*` headers that `kubectl --as` sends -> the `User` the request goes on as.
 * Whoever asks must be allowed to `impersonate` each of the user, groups, uid and extra values, as Kubernetes documents it.
 */
import type { IncomingMessage } from 'node:http';
import { badRequest } from '../../src/api/errors.js';
import type { User } from '../registry/registry.js';

/** What must be allowed, as the attributes of the question. */
export interface Impersonated {
  group: string;
  version: string;
  resource: string;
  subresource: string;
  namespace: string | undefined;
  name: string;
}

const extraPrefix = 'impersonate-extra-';
/** What looks like one but has impossible names is a user of that name, as in kube-apiserver. */
const serviceAccount =
  /^system:serviceaccount:([a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?):([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)$/;

/**
 * Undefined without such headers. Throws 400 for groups or extras without a user, as kube-apiserver does, and for more than
 * one user: whoever passes requests on and adds its own must not be tricked by the client's.
 */
export function impersonation(raw: IncomingMessage): { user: User; asks: Impersonated[] } | undefined {
  const named = Object.keys(raw.headers).filter((name) => name.startsWith('impersonate-'));
  if (named.length === 0) return undefined;
  const { headersDistinct: headers } = raw;
  const name = only(headers, 'impersonate-user') ?? '';
  if (!name) throw badRequest(`requested ${JSON.stringify(named)} without impersonating a user`);
  const groups = (headers['impersonate-group'] ?? []).map(utf8);
  const uid = only(headers, 'impersonate-uid');
  const extra = Object.fromEntries(
    named
      .filter((header) => header.startsWith(extraPrefix))
      .map((header) => [decoded(header.slice(extraPrefix.length)), (headers[header] ?? []).map(utf8)]),
  );
  return {
    user: {
      name,
      groups: groupsOf(name, groups),
      ...(uid && { uid }),
      ...(Object.keys(extra).length > 0 && { extra }),
    },
    asks: [asksForUser(name), ...groups.map(asksForGroup), ...asksForMore(uid, extra)],
  };
}

function only(headers: IncomingMessage['headersDistinct'], name: string): string | undefined {
  const [value, ...others] = headers[name] ?? [];
  if (others.length > 0) throw badRequest(`the header ${JSON.stringify(name)} may be given once`);
  return value === undefined ? undefined : utf8(value);
}

/** Node reads header bytes as Latin-1. */
const utf8 = (value: string): string => Buffer.from(value, 'latin1').toString('utf8');

const question = (resource: string, name: string, subresource = '', group = ''): Impersonated => ({
  ...{ group, version: 'v1', resource, subresource, namespace: undefined, name },
});

function asksForUser(name: string): Impersonated {
  const [, namespace, account] = serviceAccount.exec(name) ?? [];
  return namespace && account
    ? { ...question('serviceaccounts', account), namespace }
    : question('users', name);
}

const asksForGroup = (name: string): Impersonated => question('groups', name);

function asksForMore(uid: string | undefined, extra: Readonly<Record<string, string[]>>): Impersonated[] {
  const group = 'authentication.k8s.io';
  const extras = Object.entries(extra).flatMap(([key, values]) =>
    values.map((value) => question('userextras', value, key, group)),
  );
  return uid ? [question('uids', uid, '', group), ...extras] : extras;
}

/**
 * A service account is in its groups unless others are given; who is known is authenticated, unless the groups say
 * something of that already.
 */
function groupsOf(name: string, given: readonly string[]): string[] {
  const [, namespace] = serviceAccount.exec(name) ?? [];
  const own =
    namespace && given.length === 0 ? ['system:serviceaccounts', `system:serviceaccounts:${namespace}`] : [];
  const isAnonymous = name === 'system:anonymous';
  const isSaid =
    given.includes('system:unauthenticated') || (!isAnonymous && given.includes('system:authenticated'));
  const last = isAnonymous ? 'system:unauthenticated' : 'system:authenticated';
  return [...new Set([...own, ...given, ...(isSaid ? [] : [last])])];
}

function decoded(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch (error) {
    throw badRequest(`the header key ${JSON.stringify(key)} is not valid percent-encoding`, error);
  }
}
