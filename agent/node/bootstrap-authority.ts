/**
 * First contact with a master nobody trusts yet: takes the certificate chain that its TLS server shows and returns the
 * authority whose hash the join token pins. Nothing but the TLS handshake is sent. Called by `bootstrap.ts`.
 */
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { authorityServerName } from '../../src/client/jointoken.js';
import { certificateHash, toPem } from '../../src/host/pem.js';

/** The server is not the one that the token was made for. Trying again cannot help. */
export class PinMismatch extends Error {
  override readonly name = 'PinMismatch';
}

const timeoutMs = 10_000;

/** Resolves with the authority's certificate (PEM). `server` is `https://host:port`. */
export async function fetchAuthority(server: string, caHash: string, signal: AbortSignal): Promise<string> {
  const chain = await peerChain(new URL(server), authorityServerName(caHash), signal);
  const authority = chain.find((der) => certificateHash(der) === caHash);
  if (!authority) {
    const message = `${server} shows no certificate with the hash in the join token: wrong server, or wrong token`;
    throw new PinMismatch(message);
  }
  return toPem(authority);
}

function peerChain(url: URL, servername: string, signal: AbortSignal): Promise<Buffer[]> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port: Number(url.port || 443),
      // The server may have several chains; this asks for the one with the authority.
      servername,
      // The chain is judged by the pin, and the connection is closed before a byte of HTTP goes over it.
      rejectUnauthorized: false,
      timeout: timeoutMs,
    });
    const onAbort = (): void => {
      socket.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('close', () => signal.removeEventListener('abort', onAbort));
    socket.once('error', reject);
    socket.once('timeout', () => socket.destroy(new Error(`${url.host} does not answer`)));
    socket.once('secureConnect', () => {
      resolve(chainOf(socket.getPeerCertificate(true)));
      socket.destroy();
    });
  });
}

function chainOf(leaf: DetailedPeerCertificate): Buffer[] {
  const chain: Buffer[] = [];
  // A self-signed certificate is its own issuer; the last of an incomplete chain has none.
  for (let at: DetailedPeerCertificate | undefined = leaf; at?.raw; at = at.issuerCertificate) {
    if (chain.some((der) => der.equals(at?.raw ?? der))) break;
    chain.push(at.raw);
  }
  return chain;
}
