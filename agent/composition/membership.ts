/**
 * This host as a member of the cluster: its address, its certificates, its way to the API. The only part of a start that
 * waits for the master, and only the first time.
 */
import { join } from 'node:path';
import type { Client } from '../../src/client/client.js';
import { createRestClient } from '../../src/client/rest.js';
import { findNodeIp } from '../address.js';
import { type AgentCredentials, joinCluster } from '../node/bootstrap.js';
import { createRenewal } from '../node/bootstrap-renewal.js';
import { createNodeAddress, type NodeAddress } from '../node/nodeaddress.js';
import { type Base, closing } from './base.js';

export interface Membership {
  address: NodeAddress;
  credentials: AgentCredentials;
  client: Client;
  /** Keeps the certificates good; `onServing`: the one of the agent's server is another. */
  startRenewal(onServing: () => void): Promise<void>;
}

export async function joinMaster(base: Base): Promise<Membership> {
  const { options, clock, log, directory, start, signal } = base;
  const { nodeName, server, token } = options;
  const address = createNodeAddress({
    ip: options.nodeIp ?? (await findNodeIp(server)),
    isFixed: options.nodeIp !== undefined,
    find: () => findNodeIp(server),
    log,
  });
  const pkiDir = join(directory, 'pki');
  const identity = { nodeName, nodeIps: address.ips };
  const credentials = await joinCluster({ ...identity, server, token, pkiDir, signal, log, clock });
  const client = createRestClient({
    server,
    credentials: () => ({ ca: credentials.ca, ...credentials.client }),
    userAgent: 'wherry-agent',
  });
  await start(closing('client', () => client.close()));
  return {
    address,
    credentials,
    client,
    async startRenewal(onServing) {
      const onRenewed = (name: string): void => {
        if (name === 'serving') onServing();
      };
      const renewal = createRenewal({ credentials, identity, pkiDir, client, clock, log, onRenewed });
      await start(renewal);
      address.onChange(() => renewal.enqueue('serving'));
    },
  };
}
