/**
 * The data that `down --purge` and `cleanup --purge` remove or leave. Called by `down.ts` after both roles are stopped, and
 * by `main.ts`.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathFlag, type RawFlags } from '../../host/config.js';
import { type OwnData, removeEmpty, removeOwn } from '../../host/removal.js';
import { asOwnerOf } from '../owner.js';
import { masterNames, paths } from '../paths.js';

const data: OwnData = {
  names: masterNames,
  marks: ['pki/sa.key', 'store/CURRENT'],
};

/** With its user's rights, who may have put links there. The answer is what is not the master's. */
export async function purgeMaster(flags: RawFlags): Promise<readonly string[]> {
  const directory = join(pathFlag(flags, 'data-dir', paths.dataDir), 'master');
  const left = await asOwnerOf(directory, async () => removeOwn(directory, data));
  removeEmpty(directory);
  return left;
}

/** What is still there. */
export function tellLeft(left: readonly string[]): void {
  for (const path of left.filter((one) => existsSync(one)))
    process.stdout.write(`${path} is left as it is: it is not of Wherry\n`);
}
