/** Run by `lab up` inside the namespace of node-1: `join.js <number of hosts>`. */
import { joinHosts } from './lab.js';

await joinHosts(Number(process.argv[2])).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
