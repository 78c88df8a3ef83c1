import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { type Exec, type ExecResult, run, runChecked } from '../../src/host/exec.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { insideNamespace } from '../testing/namespace.js';
import { firewallContract } from './contract.js';
import { createIptables } from './iptables.js';

if (await insideNamespace(t, import.meta.url)) {
  for (const variant of ['nft', 'legacy']) {
    const named = (file: string): string => file.replace(/^iptables/, `iptables-${variant}`);
    const clock = createFakeClock();
    let last: Promise<ExecResult> | undefined;
    const exec: Exec = (file, args, options) => {
      last = run(named(file), args, options);
      return last;
    };
    const firewall = createIptables({ clock, exec });

    await t.test(`iptables-${variant} keeps the contract of a firewall`, async (t) => {
      await firewallContract(t, {
        firewall,
        async flush() {
          await runChecked(named('iptables'), ['-F']);
          await runChecked(named('iptables'), ['-X']);
          await clock.advance(30_000);
          await last;
          await setImmediate();
        },
      });
    });

    await t.test(`a restore that fails says where (${variant})`, async (t) => {
      const text = '*filter\n-A FORWARD -j ACCEPT\n-A FORWARD --nonsense\nCOMMIT\n';
      await t.rejects(firewall.restore(text), { message: /\[.*--nonsense/ });
    });
  }
}
