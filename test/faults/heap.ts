/**
 * What a Node process holds when it has just collected its garbage, asked over its inspector, which a SIGUSR1 opens on
 * loopback: what it has at any moment says more of when it collects than of what it keeps.
 */
import { WebSocket } from 'ws';
import { eventually } from '../wait.js';

const inspector = 'http://127.0.0.1:9229/json/list';

interface Usage {
  usedSize: number;
  /** Outside V8's heap, for its objects and for array buffers. */
  embedderHeapUsedSize?: number;
  backingStorageSize?: number;
}

/** Bytes that are in use after a full collection. For a process in the test's own network namespace, one at a time. */
export async function heldBytes(pid: number): Promise<number> {
  process.kill(pid, 'SIGUSR1');
  let url = '';
  await eventually('its inspector', 20, async () => {
    const targets = (await (await fetch(inspector)).json()) as { webSocketDebuggerUrl: string }[];
    url = targets[0]?.webSocketDebuggerUrl ?? '';
    return url !== '';
  });
  const socket = new WebSocket(url);
  try {
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    await ask(socket, 'HeapProfiler.collectGarbage');
    const {
      usedSize,
      embedderHeapUsedSize = 0,
      backingStorageSize = 0,
    } = await ask(socket, 'Runtime.getHeapUsage');
    return usedSize + embedderHeapUsedSize + backingStorageSize;
  } finally {
    socket.close();
  }
}

function ask(socket: WebSocket, method: string): Promise<Usage> {
  return new Promise((resolve) => {
    socket.once('message', (data) => resolve((JSON.parse(String(data)) as { result: Usage }).result));
    socket.send(JSON.stringify({ id: 1, method }));
  });
}
