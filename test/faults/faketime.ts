/**
 * A clock that a test sets: libfaketime in the processes of a cluster. CLOCK_REALTIME only, as when somebody sets the
 * clock of a host; what is measured with the monotonic clock goes on.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/host/exec.js';

export interface FakeTime {
  /** For the processes that are to have this clock. */
  env: Record<string, string>;
  /** Seconds ahead of the real time, `+3600`. */
  setOffset(offset: string): void;
  remove(): void;
}

export async function createFakeTime(): Promise<FakeTime> {
  const directory = mkdtempSync(join(tmpdir(), 'wherry-clock-'));
  const offsetFile = join(directory, 'offset');
  const setOffset = (offset: string): void => {
    writeFileSync(`${offsetFile}.new`, `${offset}\n`);
    renameSync(`${offsetFile}.new`, offsetFile);
  };
  setOffset('+0');
  return {
    env: {
      LD_PRELOAD: await libfaketime(),
      FAKETIME_TIMESTAMP_FILE: offsetFile,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_RESET: '1',
    },
    setOffset,
    remove: () => rmSync(directory, { recursive: true }),
  };
}

/** Where Debian keeps the library, by architecture. */
async function libfaketime(): Promise<string> {
  const { stdout } = await run('dpkg', ['--listfiles', 'libfaketime']);
  const found = stdout.split('\n').find((path) => path.endsWith('/libfaketimeMT.so.1'));
  if (!found) throw new Error('the package libfaketime is not installed');
  return found;
}
