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
const serviceAccount = /^system:serviceaccount:([^:]+):([^:]+)$/;

/** Undefined without such headers. Throws 400 for groups or extras without a user, as kube-apiserver does. */
export function impersonation(raw: IncomingMessage): { user: User; asks: Impersonated[] } | undefined {
  const named = Object.keys(raw.headers).filter((name) => name.startsWith('impersonate-'));
  if (named.length === 0) return undefined;
  const { headersDistinct: headers } = raw;
  const name = headers['impersonate-user']?.[0] ?? '';
  if (!name) throw badRequest(`requested ${JSON.stringify(named)} without impersonating a user`);
  const groups = headers['impersonate-group'] ?? [];
  const uid = headers['impersonate-uid']?.[0];
  const extra = Object.fromEntries(
    named
      .filter((header) => header.startsWith(extraPrefix))
      .map((header) => [decoded(header.slice(extraPrefix.length)), headers[header] ?? []]),
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

/** A service account is always in its groups, and who is known is authenticated. */
function groupsOf(name: string, given: readonly string[]): string[] {
  const [, namespace] = serviceAccount.exec(name) ?? [];
  const own =
    namespace && given.length === 0 ? ['system:serviceaccounts', `system:serviceaccounts:${namespace}`] : [];
  const last = name === 'system:anonymous' ? 'system:unauthenticated' : 'system:authenticated';
  return [...new Set([...own, ...given, last])];
}

function decoded(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch (error) {
    throw badRequest(`the header key ${JSON.stringify(key)} is not valid percent-encoding`, error);
  }
}
