/**
 * One certificate by CertificateSigningRequest: key on disk, request posted, answer awaited by watch, pair on disk.
 * Called by `bootstrap.ts` when joining and by `bootstrap-renewal.ts` before a certificate expires.
 *
 * A restart at any point goes on where it was: the request's name follows from its key and names, so that posting it
 * again finds the one that is there.
 */
import { createHash } from 'node:crypto';
import { ApiError, isReason } from '../../src/api/errors.js';
import { certificateSigningRequests } from '../../src/api/kinds.js';
import { findCondition, isConditionTrue } from '../../src/api/meta.js';
import type { CertificateSigningRequest } from '../../src/api/types.js';
import type { Client } from '../../src/client/client.js';
import type { KeyPair, RequestedNames } from '../../src/host/x509.js';
import type { CredentialFiles, CredentialName } from './bootstrap-files.js';

export interface NodeIdentity {
  nodeName: string;
  /** Addresses that the agent's HTTPS server is reached at. */
  nodeIps: readonly string[];
}

/** The request was denied or failed; a person has to look. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
}

const signers: Record<CredentialName, { signerName: string; usages: string[] }> = {
  client: {
    signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
    usages: ['digital signature', 'client auth'],
  },
  serving: { signerName: 'kubernetes.io/kubelet-serving', usages: ['digital signature', 'server auth'] },
};

export function requestedNames(name: CredentialName, { nodeName, nodeIps }: NodeIdentity): RequestedNames {
  const subject = { commonName: `system:node:${nodeName}`, organizations: ['system:nodes'] };
  return name === 'client'
    ? { ...subject, dnsNames: [], ips: [] }
    : { ...subject, dnsNames: [nodeName], ips: nodeIps };
}

export interface ObtainOptions {
  name: CredentialName;
  identity: NodeIdentity;
  client: Pick<Client, 'create' | 'get' | 'watch'>;
  files: CredentialFiles;
  signal: AbortSignal;
}

/** Rejects with `RequestRefused`, or the `ApiError` of a call, after which it may be called again. */
export async function obtainCertificate({
  name,
  identity,
  client,
  files,
  signal,
}: ObtainOptions): Promise<KeyPair> {
  // Loaded when needed: an agent that has its certificates does not carry the library.
  const { createKey, createRequest } = await import('../../src/host/x509.js');
  const pendingKey = await files.readPendingKey(name);
  const key = pendingKey ?? (await createKey());
  if (pendingKey === undefined) await files.writePendingKey(name, key);

  const names = requestedNames(name, identity);
  const csr: CertificateSigningRequest = {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: requestName(key, names) },
    spec: {
      ...signers[name],
      request: Buffer.from(await createRequest(key, names)).toString('base64'),
    },
  };
  try {
    await client.create(certificateSigningRequests, csr, { signal });
  } catch (error) {
    if (!isReason(error, 'AlreadyExists')) throw error;
  }
  try {
    const pair = { cert: await awaitCertificate(client, csr.metadata.name ?? '', signal), key };
    await files.writePair(name, pair);
    return pair;
  } catch (error) {
    if (error instanceof RequestRefused) await files.removePendingKey(name);
    throw error;
  }
}

/** A private key is in the hash, but nothing about it can be learned from 128 bits of SHA-256. */
function requestName(key: string, names: RequestedNames): string {
  const hash = createHash('sha256').update(key).update(JSON.stringify(names)).digest('hex');
  return `node-csr-${hash.slice(0, 32)}`;
}

async function awaitCertificate(
  client: Pick<Client, 'get' | 'watch'>,
  name: string,
  signal: AbortSignal,
): Promise<string> {
  const present = await client.get(certificateSigningRequests, { name }, { signal });
  const ready = certificateOf(present);
  if (ready !== undefined) return ready;
  const { resourceVersion = '' } = present.metadata;
  const events = client.watch(certificateSigningRequests, {
    fieldSelector: `metadata.name=${name}`,
    resourceVersion,
    signal,
  });
  for await (const event of events) {
    if (event.type === 'DELETED') throw new RequestRefused(`the request ${name} was deleted`);
    const certificate = event.type === 'BOOKMARK' ? undefined : certificateOf(event.object);
    if (certificate !== undefined) return certificate;
  }
  signal.throwIfAborted();
  throw new ApiError('ServiceUnavailable', 'the watch ended before the certificate was there');
}

function certificateOf({ metadata, status }: CertificateSigningRequest): string | undefined {
  for (const type of ['Denied', 'Failed']) {
    if (!isConditionTrue(status?.conditions, type)) continue;
    const { message = '' } = findCondition(status?.conditions, type) ?? {};
    throw new RequestRefused(`the request ${metadata.name} was refused (${type}): ${message}`);
  }
  return status?.certificate
    ? `${Buffer.from(status.certificate, 'base64').toString().trimEnd()}\n`
    : undefined;
}
