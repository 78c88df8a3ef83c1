/**
 * 1. One aggregated API server, as an APIService names it: opens requests to it with the front proxy's certificate, on
 * behalf of a user that it is told of by headers.
 *
 * It trusts those headers only from whoever shows a certificate of the front proxy's authority, which it reads from the
 * ConfigMap `extension-apiserver-authentication`.
 */
import type { ClientRequest, OutgoingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import type { APIServiceSpec } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import type { KeyPair } from '../../src/host/x509.js';
import type { User } from '../registry/registry.js';
import { serverNameOf, tlsOf } from './dial.js';
import type { PoolRequest, TlsPool } from './pool.js';
import { type Address, resolveService } from './services.js';

export interface RemoteOptions {
  client: Pick<Client, 'get' | 'list'>;
  /** Of the front proxy; asked for at every request. */
  credentials: () => KeyPair;
  pool: TlsPool;
}

export interface RemoteRequest {
  method: string;
  /** With the query, as sent. */
  path: string;
  headers: OutgoingHttpHeaders;
  user: User;
  /** False for what ends up as another protocol. */
  reuse: boolean;
  signal: AbortSignal;
}

export interface Opened {
  request: ClientRequest;
  address: Address;
}

/** Rejects with `ServiceUnresolved` when nothing serves there. */
export async function openRemote(
  { client, credentials, pool }: RemoteOptions,
  spec: APIServiceSpec,
  { method, path, headers, user, reuse, signal }: RemoteRequest,
): Promise<Opened> {
  const { namespace = '', name = '', port } = spec.service ?? {};
  const target = { namespace, name, port };
  const address = await resolveService(client, target);
  const options: PoolRequest = {
    ...tlsOf(spec, serverNameOf(target)),
    ...credentials(),
    host: address.host,
    port: address.port,
    nodeName: address.nodeName,
    method,
    path,
    signal,
    agent: reuse ? pool : pool.single(),
    headers: { ...headers, host: serverNameOf(target), ...userHeaders(user) },
  };
  return { request: request(options), address };
}

/** Keys of `extra` become part of a header's name: whatever is no token character is percent-encoded. */
const headerKey = (key: string): string =>
  Buffer.from(key.toLowerCase())
    .toString('latin1')
    .replace(/[^a-z0-9!#$&'*+.^_`|~-]/g, (character) => {
      const hex = character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0');
      return `%${hex}`;
    });

/** Header values are bytes; node writes them from Latin-1. */
const headerText = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

export const userHeaders = ({ name, uid, groups, extra = {} }: User): OutgoingHttpHeaders => ({
  'x-remote-user': headerText(name),
  ...(uid && { 'x-remote-uid': headerText(uid) }),
  ...(groups.length > 0 && { 'x-remote-group': groups.map(headerText) }),
  ...Object.fromEntries(
    Object.entries(extra).map(([key, values]) => [
      `x-remote-extra-${headerKey(key)}`,
      values.map(headerText),
    ]),
  ),
});
