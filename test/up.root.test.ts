/**
 * The first thing anybody does: `npm run up` from a clone, look, kill things, `npm run down -- --purge`. Afterwards the
 * machine must be as before. Runs on the machine itself, not in a namespace, because that is what it is about.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import t, { type Test } from 'tap';
import { findBarrier } from '../src/cli/up/account.js';
import { type ExecResult, run, runChecked } from '../src/host/exec.js';
import { eventually } from './wait.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const kubeconfig = '/etc/wherry/admin.kubeconfig';

const script = (name: string, ...args: string[]): Promise<ExecResult> =>
  runChecked(
    process.execPath,
    [`scripts/${name}.mjs`, ...args].map((arg, i) => (i === 0 ? `${root}/${arg}` : arg)),
    {
      timeoutMs: 600_000,
    },
  );
const kubectl = async (...args: string[]): Promise<string> =>
  (await runChecked('kubectl', ['--kubeconfig', kubeconfig, ...args], { timeoutMs: 60_000 })).stdout;

/** What must be the same before and after, one line each. */
async function snapshot(): Promise<Record<string, string[]>> {
  const lines = async (file: string, args: string[]): Promise<string[]> =>
    (await run(file, args).catch(() => ({ stdout: '' }))).stdout.split('\n').filter(Boolean);
  const rules = (await lines('iptables-save', []))
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.replace(/\[.*\]/, ''));
  const links = (await lines('ip', ['-o', 'link'])).map((line) => line.split(':')[1]?.trim() ?? '');
  const hierarchies = readdirSync('/sys/fs/cgroup').map((name) => `/sys/fs/cgroup/${name}`);
  return {
    rules,
    links: links.sort(),
    routes: await lines('ip', ['route']),
    mounts: readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter((line) => !line.includes('/binfmt_misc'))
      .sort(),
    containers: await lines('docker', ['ps', '-aq']),
    processes: (await lines('ps', ['-eo', 'args'])).filter(
      (line) => /wherry|dockerd|containerd|nginx/.test(line) && !/tap|test|\bps\b|<defunct>/.test(line),
    ),
    users: await lines('cut', ['-d:', '-f1', '/etc/passwd', '/etc/group']),
    cgroups: (await lines('find', [...hierarchies, '-maxdepth', '1', '-type', 'd'])).sort(),
  };
}

async function nodeAddress(): Promise<string> {
  return kubectl(
    'get',
    'nodes',
    '-o',
    'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}',
  );
}

const page = async (): Promise<string> =>
  (await fetch(`http://${await nodeAddress()}:30080`, { signal: AbortSignal.timeout(20_000) })).text();
const containers = async (): Promise<string[]> =>
  (await runChecked('docker', ['ps', '--no-trunc', '--format', '{{.ID}} {{.CreatedAt}} {{.Names}}'])).stdout
    .split('\n')
    .filter((line) => line.includes('wherry_'))
    .sort();
const pidOf = (role: string): number => Number(readFileSync(`/run/wherry/${role}.pid`, 'utf8'));
const versions = (): Promise<string> =>
  kubectl(
    'get',
    'deployments,services,pods',
    '-o',
    'jsonpath={range .items[*]}{.metadata.uid}={.metadata.resourceVersion} {end}',
  );

/** No more rights than it needs, and nobody else has its files. */
async function checkMaster(t: Test): Promise<void> {
  const status = readFileSync(`/proc/${pidOf('master')}/status`, 'utf8');
  // Where nobody but root can get at this clone, `up` says so and the master is root.
  if (findBarrier(process.execPath) === undefined && findBarrier(root) === undefined) {
    t.notMatch(status, /^Uid:\s+0\s/m, 'the master is not root');
    t.match(status, /^CapEff:\s+0+$/m, 'it has no capability');
    const owner = (await runChecked('stat', ['-c', '%U', kubeconfig, '/var/lib/wherry/master'])).stdout;
    t.equal(owner, 'wherry\nwherry\n', 'its files are its own');
  }
  t.equal(statSync(kubeconfig).mode & 0o777, 0o600, 'the kubeconfig is for nobody else');
}

t.test('up, twice, kill -9, down --purge', { timeout: 600_000 }, async (t) => {
  const before = await snapshot();
  t.teardown(() => script('down', '--purge'));

  const first = await script('up');
  t.match(first.stdout, /Welcome to nginx/, 'up prints what the NodePort answers');
  t.match(await page(), /Welcome to nginx/);
  t.match(await kubectl('get', 'nodes'), /\sReady\s/);
  await checkMaster(t);
  await eventually('both pods', 60, async () =>
    /nginx\s+2\/2\s+2\s+2/.test(await kubectl('get', 'deployment', 'nginx')),
  );
  await eventually('nothing more to be said of them', 60, async () => {
    const progressing = '{.status.conditions[?(@.type=="Progressing")].reason}';
    const told = await kubectl('get', 'deployment', 'nginx', '-o', `jsonpath=${progressing}`);
    return told === 'NewReplicaSetAvailable';
  });

  const stable = {
    containers: await containers(),
    versions: await versions(),
    pids: [pidOf('master'), pidOf('agent')],
  };
  t.equal(stable.containers.length, 4, 'two pods: a sandbox and a container each');
  await script('up');
  t.same(
    { containers: await containers(), versions: await versions(), pids: [pidOf('master'), pidOf('agent')] },
    stable,
    'a second up changes nothing',
  );

  for (const victims of [['agent'], ['master'], ['master', 'agent']]) {
    const killed = victims.map(pidOf);
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    await eventually(
      'they run again, and the node is Ready',
      60,
      async () =>
        victims.every((victim) => !killed.includes(pidOf(victim))) &&
        /\sReady\s/.test(await kubectl('get', 'nodes')),
    );
    t.match(await page(), /Welcome to nginx/, `the page after kill -9 of ${victims.join(' and ')}`);
  }
  t.same(await containers(), stable.containers, 'no container was restarted or duplicated');

  await script('down', '--purge');
  await eventually('the machine is as before', 30, async () =>
    isDeepStrictEqual(await snapshot(), before),
  ).catch((error: unknown) => t.comment(String(error)));
  t.same(await snapshot(), before, 'the machine is as before');
});
