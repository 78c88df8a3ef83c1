/**
 * The termination message of a container: what it wrote to its message file, or, when its policy says so and it
 * failed, the end of its log.
 */
import type { Container } from '../../src/api/types.js';
import type { Clock } from '../../src/host/clock.js';
import type { ContainerState, Runtime } from '../runtime/runtime.js';
import type { HostFiles } from './hostfiles.js';
import { attemptOf, containerNameOf } from './names.js';
import { exitCodeOf } from './observed.js';

export type LastWords = (uid: string, state: ContainerState, spec: Container | undefined) => Promise<string>;

/** Kubernetes' limits for a message taken from the log. */
const maxLogLines = 80;
const maxLogBytes = 2048;
const logTimeoutMs = 5000;

export function createLastWords(options: {
  runtime: Runtime;
  hostFiles: HostFiles;
  clock: Clock;
}): LastWords {
  const { runtime, hostFiles, clock } = options;

  async function endOfLog(id: string): Promise<string> {
    const timeout = new AbortController();
    const cancel = clock.after(logTimeoutMs, () => timeout.abort());
    try {
      let text = '';
      const read = { follow: false, timestamps: false, tailLines: maxLogLines, signal: timeout.signal };
      for await (const line of runtime.logs(id, read))
        text = `${text}${line.text.toString()}\n`.slice(-maxLogBytes);
      return text;
    } finally {
      cancel();
    }
  }

  return async (uid, state, spec) => {
    const message = await hostFiles.terminationMessage(uid, containerNameOf(state), attemptOf(state));
    const wantsLog = spec?.terminationMessagePolicy === 'FallbackToLogsOnError' && exitCodeOf(state) !== 0;
    return message === '' && wantsLog ? endOfLog(state.id) : message;
  };
}
