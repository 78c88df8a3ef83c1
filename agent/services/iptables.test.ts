/** When the rules count as flushed by somebody else; the rest needs a kernel (`iptables.root.test.ts`). */
import t from 'tap';
import { deferred } from '../../src/client/wait.js';
import type { Exec } from '../../src/host/exec.js';
import { createFakeClock } from '../../src/testing/clock.js';
import type { Jump } from './firewall.js';
import { createIptables } from './iptables.js';

const jump: Jump = {
  table: 'nat',
  from: 'OUTPUT',
  to: 'WHERRY-SERVICES',
  match: [],
  comment: 'services',
  position: 'first',
};
t.test('rules that are only being written are not flushed', async (t) => {
  const clock = createFakeClock();
  const writing = deferred();
  let rules = '';
  const exec: Exec = async (file, args, options) => {
    if (file === 'iptables-restore') {
      await writing.promise;
      rules = `${options?.input}`.replace(/^-I (\S+) \d+/m, '-A $1');
    }
    return { code: 0, stdout: args.includes('-S') ? rules : '', stderr: '' };
  };
  const firewall = createIptables({ clock, exec, checkEveryMs: 1_000 });
  let flushes = 0;
  t.teardown(firewall.onFlushed(() => flushes++));
  const written = firewall.ensureJump(jump);
  await clock.advance(0);
  await clock.advance(1_000);
  t.equal(flushes, 0, 'while it is written');
  writing.resolve();
  await written;
  await clock.advance(1_000);
  t.equal(flushes, 0, 'when it is there');
  rules = '';
  await clock.advance(1_000);
  t.equal(flushes, 1, 'when it is gone');
});
