/**
 * What the pod network remembers of each sandbox, one file per sandbox: how it was attached and what came out.
 *
 * A record without `result` is an intent: an ADD was begun and may have left traces, so it must be undone first.
 * Files are replaced in one step but not fsynced: namespaces do not survive a power cut, so neither need these.
 */
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfExists } from '../../src/host/files.js';
import type { Attachment, CniResult } from './cni.js';
import type { NetworkConfig } from './conflist.js';

export interface NetworkRecord {
  version: 1;
  attachment: Attachment;
  /** Which namespace was attached; the path alone may lead to another one later. */
  namespaceId: string;
  network: NetworkConfig;
  result?: CniResult;
}

export interface Records {
  open(): Promise<void>;
  /** `undefined` when there is none; one that cannot be read counts as none. */
  read(sandboxId: string): Promise<NetworkRecord | undefined>;
  write(record: NetworkRecord): Promise<void>;
  remove(sandboxId: string): Promise<void>;
  /** Ids of all sandboxes that have a record, or the beginning of one. */
  list(): Promise<string[]>;
}

const suffix = '.json';
/** Of what is being written; a process that dies leaves it behind. */
const newSuffix = '.new';

export function createRecords(directory: string): Records {
  const fileOf = (sandboxId: string): string => {
    if (!/^[\w.-]+$/.test(sandboxId)) throw new Error(`${sandboxId} is not the id of a sandbox`);
    return join(directory, sandboxId + suffix);
  };
  return {
    async open() {
      await mkdir(directory, { recursive: true, mode: 0o700 });
    },
    async read(sandboxId) {
      const data = await readIfExists(fileOf(sandboxId));
      return data && parseRecord(data.toString());
    },
    async write(record) {
      const file = fileOf(record.attachment.containerId);
      await writeFile(file + newSuffix, JSON.stringify(record), { mode: 0o600 });
      await rename(file + newSuffix, file);
    },
    async remove(sandboxId) {
      await rm(fileOf(sandboxId) + newSuffix, { force: true });
      await rm(fileOf(sandboxId), { force: true });
    },
    async list() {
      const found = (await readdir(directory)).map((name) => /^(.+)\.json(?:\.new)?$/.exec(name)?.[1] ?? '');
      return [...new Set(found)].filter(Boolean);
    },
  };
}

function parseRecord(text: string): NetworkRecord | undefined {
  try {
    const record = JSON.parse(text) as NetworkRecord;
    return record.version === 1 ? record : undefined;
  } catch {
    return undefined;
  }
}
