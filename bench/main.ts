/**
 * `npm run bench [-- part ...]`: prints a table and writes `bench-results.json`. Parts: coldstart, pods, density, api, many,
 * scheduler, services; all without an argument. Loaded one at a time, so that none pays for another's memory.
 */
import { writeFileSync } from 'node:fs';
import { type Row, renderTable } from './row.js';

const parts: Record<string, () => Promise<Row[]>> = {
  coldstart: async () => (await import('./coldstart.js')).benchColdStart(),
  pods: async () => (await import('./pods.js')).benchPods(),
  density: async () => (await import('./density.js')).benchDensity(),
  api: async () => (await import('./api.js')).benchApi(),
  many: async () => (await import('./many.js')).benchMany(),
  scheduler: async () => (await import('./scheduler.js')).benchSchedulerRows(),
  services: async () => (await import('./services.js')).benchServiceRows(),
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts);
const unknown = wanted.filter((name) => !(name in parts));
if (unknown.length > 0) {
  process.stderr.write(`bench: no part ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}\n`);
  process.exit(2);
}

const rows: Row[] = [];
for (const name of wanted) {
  process.stdout.write(`${name}...\n`);
  rows.push(...((await parts[name]?.()) ?? []));
}
process.stdout.write(`\n${renderTable(rows)}\n`);
writeFileSync('bench-results.json', `${JSON.stringify({ at: new Date().toISOString(), rows }, null, 2)}\n`);
process.exit(0);
