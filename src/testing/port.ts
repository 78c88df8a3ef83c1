/** A port for a server that a test starts by its flags. Imported by tests only. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { hasCode } from '../host/files.js';

/**
 * Free a moment ago, and not of those that a kernel gives to who asks for any, nor a NodePort: nobody else comes upon it
 * before the server has it.
 */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (;;) {
    const port = randomInt(12_000, 30_000);
    const probe = createServer();
    try {
      await once(probe.listen(port, address), 'listening');
    } catch (error) {
      if (!hasCode(error, 'EADDRINUSE')) throw error;
      continue;
    }
    probe.close();
    await once(probe, 'close');
    return port;
  }
}
