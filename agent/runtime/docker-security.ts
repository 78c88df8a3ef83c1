/**
 * 8. Seccomp profiles for Docker, which wants their text, not their path. Called by docker.ts.
 */
import { readFile } from 'node:fs/promises';
import { RuntimeError, type SecurityProfile } from './runtime.js';

/** The value of the option `seccomp`; undefined for Docker's own profile. Rejects with `invalid` for a bad file. */
export async function loadProfile(seccomp: SecurityProfile | undefined): Promise<string | undefined> {
  if (seccomp?.type === 'Unconfined') return 'unconfined';
  if (seccomp?.type !== 'Localhost') return undefined;
  try {
    // On one line, as Docker's own client sends it; a file that is no JSON is refused here, not by runc.
    return JSON.stringify(JSON.parse(await readFile(seccomp.profile, 'utf8')));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new RuntimeError('invalid', `cannot load seccomp profile "${seccomp.profile}": ${why}`, {
      cause: error,
    });
  }
}
