/**
 * `wherry store check`: reads the store of a stopped master from end to end, encrypted values too where their key is at hand.
 * Exit code 1 when something is wrong and stays so: `--repair` removes what is damaged.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { asOwnerOf } from './owner.js';

const print = (text: string): void => {
  process.stdout.write(text);
};

export async function checkStoreCommand(
  { dataDir, repair = false }: { dataDir: string; repair?: boolean },
  say = print,
): Promise<void> {
  const { checkStore } = await import('../../master/store/check.js');
  const { cipherOfFile, ownKeyFile } = await import('../../master/store/encryption/keyfile.js');
  const master = join(dataDir, 'master');
  const dir = join(master, 'store');
  if (!statSync(join(dir, 'CURRENT'), { throwIfNoEntry: false }))
    throw new Error(
      `there is no store in ${dir}: no master has run there; name its directory with --data-dir`,
    );
  const keys = ownKeyFile(master);
  const cipher = existsSync(keys) ? await cipherOfFile(keys) : undefined;
  const { entries, revision, problems, sealed, removed } = await asOwnerOf(master, () =>
    checkStore(dir, { repair, ...(cipher && { cipher }) }),
  );
  const encrypted = sealed === 0 ? '' : `, ${sealed} values encrypted`;
  say(`${dir}: ${entries} objects at revision ${revision}${encrypted}, ${problems.length} problems\n`);
  for (const problem of problems) say(`  ${problem}\n`);
  if (repair) say(`  removed ${removed.length} records\n`);
  else if (problems.length > 0) process.exitCode = 1;
}
