/** `wherry store check`: reads the store of a stopped master from end to end. Exit code 1 when something is wrong. */
import { join } from 'node:path';

export async function checkStoreCommand(dataDir: string): Promise<void> {
  const { checkStore } = await import('../../master/store/check.js');
  const dir = join(dataDir, 'master', 'store');
  const { entries, revision, problems } = await checkStore(dir);
  process.stdout.write(`${dir}: ${entries} objects at revision ${revision}, ${problems.length} problems\n`);
  for (const problem of problems) process.stdout.write(`  ${problem}\n`);
  if (problems.length > 0) process.exitCode = 1;
}
