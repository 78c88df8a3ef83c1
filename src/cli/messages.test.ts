/** What commands say to wrong input: what is wrong, with its name, and what to do. Each one is run as a process of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { run } from '../host/exec.js';

const main = fileURLToPath(new URL('main.js', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'wherry-messages-'));
t.teardown(() => rmSync(dir, { recursive: true }));
const none = join(dir, 'none');
const broken = join(dir, 'broken.yaml');
writeFileSync(broken, 'a: [', { mode: 0o600 });

const cases: readonly [args: string, message: RegExp][] = [
  ['supervise x', /value 'x' is invalid for argument 'role'. Allowed\s+choices are master, agent/],
  [`master --config ${none}`, /--config: there is no file .*none$/m],
  [`agent --config ${dir}`, /--config: there is no file/],
  [`agent --config ${broken}`, /broken\.yaml is not YAML, see line 1$/m],
  ['token create --ttl 0s', /--ttl: a token that works for 0s joins nobody/],
  [`token create --kubeconfig ${broken}`, /broken\.yaml is not YAML/],
  [`certs --data-dir ${none}`, /no certificates below .*none: neither .* --data-dir/],
  [`certs renew --kubeconfig ${none}`, /none does not exist: start the master first, or name another with/],
  [`store check --data-dir ${none}`, /there is no store in .*: no master has run there; name its directory/],
  [`secrets rotate --data-dir ${none}`, /encryption\.yaml does not exist: .* --data-dir/],
  [`secrets forget --data-dir ${none}`, /there is no .*none\/master: no master has run there/],
];

for (const [args, message] of cases)
  t.test(`wherry ${args.replaceAll(dir, 'DIR')}`, async (t) => {
    const command = [...process.execArgv, main, ...args.split(' ')];
    const { code, stdout, stderr } = await run(process.execPath, command, { timeoutMs: 120_000 });
    t.match(stderr, message);
    t.notMatch(stderr, /ENOENT|EISDIR|^\s+at /m, 'words, no codes');
    t.equal(stdout, '');
    t.equal(code, 1);
  });
