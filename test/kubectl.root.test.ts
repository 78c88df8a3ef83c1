/** What kubectl prints, command by command, for every kubectl there is. The tables are in `kubectl/`. */
import t from 'tap';
import { openAdmin } from '../src/cli/admin.js';
import { systemClock } from '../src/host/clock.js';
import { apply } from './kubectl/apply.js';
import { argumentsOf, type Case } from './kubectl/case.js';
import { create } from './kubectl/create.js';
import { custom } from './kubectl/custom.js';
import { createHollowNode, runHollowPods } from './kubectl/hollow.js';
import { read } from './kubectl/read.js';
import { kubectls, type Ran, startMaster } from './kubectl/runner.js';
import { workload } from './kubectl/workload.js';

const tables = { create, apply, read, custom, workload };

t.setTimeout(600_000);
const { run, stop, kubeconfig } = await startMaster();
const stopping = new AbortController();
const { client } = await openAdmin(kubeconfig);
await createHollowNode(client, 'hollow', stopping.signal);
const hollow = runHollowPods(client, 'hollow', stopping.signal).catch(() => undefined);
t.teardown(async () => {
  stopping.abort();
  await hollow;
  await stop();
});

const minorOf = async (kubectl: string): Promise<number> => {
  const { stdout } = await run(kubectl, ['version', '--client', '-o', 'json']);
  return Number.parseInt(
    (JSON.parse(stdout) as { clientVersion: { minor: string } }).clientVersion.minor,
    10,
  );
};

const holds = ({ prints = /(?:)/, complains = /(?:)/, exit = 0 }: Case, ran: Ran): boolean =>
  ran.code === exit &&
  complains.test(ran.stderr) &&
  (typeof prints === 'string' ? prints === ran.stdout : prints.test(ran.stdout));

async function runCase(kubectl: string, namespace: string, one: Case): Promise<Ran> {
  const args = ['-n', namespace, ...argumentsOf(one.run)];
  for (let left = one.patient ? 50 : 1; ; left -= 1) {
    const ran = await run(kubectl, args, one.input);
    if (holds(one, ran) || left <= 1) return ran;
    await systemClock.sleep(100, stopping.signal);
  }
}

for (const [index, kubectl] of kubectls.entries()) {
  const minor = await minorOf(kubectl);
  for (const [name, cases] of Object.entries(tables)) {
    t.test(`${name}, with ${kubectl} of 1.${minor}`, async (t) => {
      const namespace = `${name}-${index}`;
      await run(kubectl, ['create', 'namespace', namespace]);
      for (const one of cases) {
        if (minor < (one.since ?? 0) || minor > (one.until ?? minor)) continue;
        const ran = await runCase(kubectl, namespace, one);
        const { prints, complains } = one;
        t.ok(holds(one, ran), `kubectl ${one.run}`, {
          ...ran,
          wanted: { prints: String(prints), complains: String(complains), exit: one.exit ?? 0 },
        });
      }
      await run(kubectl, ['delete', 'namespace', namespace, '--wait=false']);
    });
  }
}
