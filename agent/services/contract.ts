/**
 * What every `Firewall` promises; run on the fake (`services.test.ts`) and on iptables (`iptables.root.test.ts`).
 */
import type { Test } from 'tap';
import type { Firewall, Jump } from './firewall.js';

export interface FirewallUnderTest {
  firewall: Firewall;
  /** Flushes the table as somebody else would, and resolves when a subscriber may expect to know. */
  flush(): Promise<void>;
}

const jumpTo = (to: string, extra: Partial<Jump> = {}): Jump => ({
  ...{ table: 'filter', from: 'FORWARD', to, position: 'first', match: [], comment: 'contract' },
  ...extra,
});

export async function firewallContract(t: Test, { firewall, flush }: FirewallUnderTest): Promise<void> {
  const rules = async (): Promise<string[]> =>
    (await firewall.save('filter')).split('\n').filter((line) => /^-A/.test(line));
  const targets = async (): Promise<string[]> =>
    (await rules()).flatMap((rule) => /^-A FORWARD .*-j (\S+)/.exec(rule)?.[1] ?? []);

  await t.test('restore adds, replaces and deletes chains, and leaves others alone', async (t) => {
    await firewall.restore(
      '*filter\n:OTHER - [0:0]\n:WHERRY-A - [0:0]\n-A OTHER -j ACCEPT\n-A WHERRY-A -j DROP\nCOMMIT\n',
    );
    await firewall.restore('*filter\n:WHERRY-A - [0:0]\n-A WHERRY-A -j ACCEPT\nCOMMIT\n');
    t.same(await rules(), ['-A OTHER -j ACCEPT', '-A WHERRY-A -j ACCEPT']);
    await firewall.restore('*filter\n:WHERRY-A - [0:0]\n-X WHERRY-A\nCOMMIT\n');
    t.same(await rules(), ['-A OTHER -j ACCEPT']);
    t.notMatch(await firewall.save('filter'), /WHERRY-A/);
  });

  await t.test('a text that cannot be applied changes nothing and the error names the line', async (t) => {
    const before = await firewall.save('filter');
    await t.rejects(
      firewall.restore(
        '*filter\n:WHERRY-B - [0:0]\n-A WHERRY-B -j ACCEPT\n-A WHERRY-B -j WHERRY-NOWHERE\nCOMMIT\n',
      ),
      /WHERRY-NOWHERE/,
    );
    t.equal(await firewall.save('filter'), before);
    await t.rejects(firewall.restore('*filter\n-A WHERRY-NOWHERE -j ACCEPT\nCOMMIT\n'));
    await t.rejects(
      firewall.restore('*filter\n-A OTHER\n-A OTHER -j DROP\n-X OTHER\nCOMMIT\n'),
      'a chain in use',
    );
    t.equal(await firewall.save('filter'), before);
  });

  await t.test('jumps are there once, in a fixed order among ours', async (t) => {
    await firewall.ensureJump(jumpTo('OTHER', { position: 'last' }));
    await firewall.ensureJump(jumpTo('WHERRY-M'));
    await firewall.ensureJump(jumpTo('WHERRY-A', { match: ['-p', 'tcp'] }));
    await firewall.ensureJump(jumpTo('WHERRY-Z'));
    t.same(await targets(), ['WHERRY-A', 'WHERRY-M', 'WHERRY-Z', 'OTHER']);
    const before = await firewall.save('filter');
    for (const to of ['WHERRY-Z', 'WHERRY-M', 'WHERRY-A']) {
      await firewall.ensureJump(jumpTo(to, to === 'WHERRY-A' ? { match: ['-p', 'tcp'] } : {}));
    }
    t.equal(await firewall.save('filter'), before, 'again changes nothing');
    await firewall.restore('*filter\n-I FORWARD 1 -j OTHER\nCOMMIT\n');
    await firewall.ensureJump(jumpTo('WHERRY-M'));
    t.same(
      await targets(),
      ['WHERRY-M', 'OTHER', 'WHERRY-A', 'WHERRY-Z', 'OTHER'],
      'moved back to the front',
    );
    for (const to of ['WHERRY-A', 'WHERRY-M', 'WHERRY-Z']) {
      await firewall.removeJump(jumpTo(to));
      await firewall.removeJump(jumpTo(to));
    }
    t.same(await targets(), ['OTHER', 'OTHER']);
  });

  await t.test('a flush by somebody else is noticed', async (t) => {
    await firewall.ensureJump(jumpTo('WHERRY-M'));
    let calls = 0;
    const off = firewall.onFlushed(() => {
      calls += 1;
    });
    await flush();
    t.equal(calls, 1);
    off();
    await flush();
    t.equal(calls, 1, 'no more after unsubscribe');
  });
}
