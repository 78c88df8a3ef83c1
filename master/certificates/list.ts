/**
 * Which certificates are on this host and when they expire, read from the directories of master and agent. For `wherry certs`,
 * which works without a running master.
 */
import { X509Certificate } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { warningTime } from '../../src/host/expiry.js';
import { hasCode, readIfExists } from '../../src/host/files.js';
import { lifetimePoint, pemBlocks } from '../../src/host/pem.js';

export interface ListedCertificate {
  path: string;
  subject: string;
  issuer: string;
  /** What a server may be called; `-` for none. */
  names: string;
  expires: Date;
  daysLeft: number;
  state: 'ok' | 'expiring' | 'expired';
}

const directories = ['master/pki', 'agent/pki'];

/** Sorted by path. A bundle gives a line for each of its certificates, a chain its leaf. */
export async function listCertificates(dataDir: string, now: Date): Promise<ListedCertificate[]> {
  const listed: ListedCertificate[] = [];
  for (const directory of directories) {
    for (const name of await filesIn(join(dataDir, directory))) {
      const path = join(dataDir, directory, name);
      const blocks = pemBlocks((await readIfExists(path))?.toString() ?? '', 'CERTIFICATE');
      const wanted = name === 'ca.crt' ? blocks : blocks.slice(0, 1);
      for (const block of wanted) listed.push(describe(path, block, now));
    }
  }
  return listed;
}

async function filesIn(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => /\.(?:crt|pem)$/.test(name)).sort();
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function describe(path: string, pem: string, now: Date): ListedCertificate {
  const { subject, issuer, subjectAltName } = new X509Certificate(pem);
  const endMs = lifetimePoint(pem, 1);
  const leftMs = endMs - now.getTime();
  return {
    path,
    subject: oneLine(subject),
    issuer: oneLine(issuer),
    names: subjectAltName?.replace(/DNS:|IP Address:/g, '').replace(/, /g, ',') ?? '-',
    expires: new Date(endMs),
    daysLeft: Math.floor(leftMs / 86_400_000),
    state: leftMs <= 0 ? 'expired' : now.getTime() >= warningTime(pem) ? 'expiring' : 'ok',
  };
}

const oneLine = (name: string): string => name.split('\n').join(',');
