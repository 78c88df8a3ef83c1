/**
 * This host as a member of the cluster: its address, its certificates, its way to the API. The only part of a start that
 * waits for the master, and only the first time.
 */
import { join } from 'node:path';
import type { Client } from '../../src/client/client.js';
import type { EventRecorder } from '../../src/client/events.js';
import { createRestClient } from '../../src/client/rest.js';
import { findNodeIp, refuseServiceAddress } from '../address.js';
import { type AgentCredentials, joinCluster } from '../node/bootstrap.js';
import { type CertificateFigures, createCertificateFigures } from '../node/bootstrap-figures.js';
import { createRenewal } from '../node/bootstrap-renewal.js';
import { createTrust } from '../node/bootstrap-trust.js';
import { createExpiryWarning } from '../node/expirywarning.js';
import { createNodeAddress, type NodeAddress } from '../node/nodeaddress.js';
import { type Base, closing } from './base.js';

export interface Membership {
  address: NodeAddress;
  credentials: AgentCredentials;
  client: Client;
  /** What is told of the certificates. */
  figures: CertificateFigures;
  /** Keeps the certificates good; `onServing`: the one of the agent's server is another, or who its clients come from. */
  startRenewal(recorder: EventRecorder, onServing: () => void): Promise<void>;
}

export async function joinMaster(base: Base): Promise<Membership> {
  const { options, clock, log, directory, start, signal } = base;
  const { nodeName, server, token } = options;
  const ip = options.nodeIp ?? (await findNodeIp(server));
  refuseServiceAddress(ip, options.serviceCidr);
  const address = createNodeAddress({
    ip,
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
  const figures = createCertificateFigures(credentials, clock);
  return {
    address,
    credentials,
    client,
    figures,
    async startRenewal(recorder, onServing) {
      const common = { credentials, pkiDir, client, clock, log };
      const renewal = createRenewal({
        ...{ ...common, identity, server, token },
        onRenewed(name) {
          figures.renewed(name);
          if (name === 'serving') onServing();
          trust.enqueue('node');
        },
        onFailed: (name) => figures.failed(name),
      });
      const trust = createTrust({
        ...{ ...common, nodeName },
        onChange() {
          onServing();
          for (const name of ['client', 'serving']) renewal.enqueue(name);
        },
      });
      await start(renewal);
      await start(trust);
      await start(createExpiryWarning({ credentials, nodeName, recorder, clock }));
      address.onChange(() => renewal.enqueue('serving'));
    },
  };
}
