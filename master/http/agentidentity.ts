/**
 * Whether a server is the agent of a node: what `agentlink.ts` asks of each certificate whose chain is good. Pure.
 *
 * Agents' serving certificates are of an authority of their own, for nodes get them without a human, for addresses that may
 * be anybody's. The name of the node in the subject is what the authority vouches for; where it listens says nothing.
 */
import type { PeerCertificate } from 'node:tls';
import { isIssuedByOneOf, lifetimePoint } from '../../src/host/pem.js';

/** PEM. */
export interface AgentAuthorities {
  /** Of agents' serving certificates, first the one that signs. */
  ca: string;
  /** The cluster's, which signed these certificates until there was an authority for them. */
  formerCa: string;
}

type ShownCertificate = Pick<PeerCertificate, 'raw' | 'valid_from'> & {
  /** Absent when it is empty. */
  subject?: Pick<PeerCertificate['subject'], 'CN'>;
};

/** Undefined when it is. A certificate of the former authority must be from before the present one. */
export function identityProblem(
  { subject, raw, valid_from }: ShownCertificate,
  nodeName: string,
  { ca }: AgentAuthorities,
): Error | undefined {
  const wanted = `system:node:${nodeName}`;
  if (subject?.CN !== wanted)
    return new Error(
      `its certificate is of ${JSON.stringify(subject?.CN)}, not of ${JSON.stringify(wanted)}`,
    );
  if (isIssuedByOneOf(raw, ca) || Date.parse(valid_from) < lifetimePoint(ca, 0)) return undefined;
  return new Error('its certificate is not of the authority for serving certificates of agents');
}
