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
/** What all containers of a pod may say together. */
const maxPodBytes = 12 * 1024;

/** The end of it, whole characters only. */
function lastBytes(data: Buffer, bytes: number): Buffer<ArrayBuffer> {
  let from = Math.max(data.length - bytes, 0);
  while (from > 0 && ((data[from] ?? 0) & 0xc0) === 0x80) from += 1;
  return Buffer.from(data.subarray(from));
}

/** What one of so many containers of a pod may say. */
export function shareOfWords(message: string, containers: number): string {
  const data = Buffer.from(message);
  const share = Math.floor(maxPodBytes / Math.max(containers, 1));
  if (data.length <= share) return message;
  let end = share;
  while (end > 0 && ((data[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return data.subarray(0, end).toString();
}

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
      let text = Buffer.alloc(0);
      const read = { follow: false, timestamps: false, tailLines: maxLogLines, signal: timeout.signal };
      for await (const line of runtime.logs(id, read)) {
        const end = line.partial ? '' : '\n';
        text = lastBytes(Buffer.concat([text, line.text, Buffer.from(end)]), maxLogBytes);
      }
      return text.toString();
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
