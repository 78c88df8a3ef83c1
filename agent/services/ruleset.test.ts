import fc from 'fast-check';
import t from 'tap';
import { createFakeFirewall } from './fake.js';
import type { ServicePort } from './model.js';
import { isServiceChain } from './removal.js';
import { renderService } from './rules.js';
import { createRuleset } from './ruleset.js';

const clusterCidr = '10.244.0.0/16';

const target = fc.record({
  address: fc.integer({ min: 1, max: 6 }).map((last) => `10.244.0.${last}`),
  port: fc.constantFrom(80, 8080),
});
const targets = fc.uniqueArray(target, {
  maxLength: 4,
  selector: ({ address, port }) => `${address}:${port}`,
});

const portOf = (index: number): fc.Arbitrary<ServicePort> =>
  fc.record({
    name: fc.constant(`default/s${index}:p`),
    protocol: fc.constantFrom('tcp', 'udp', 'sctp'),
    clusterIp: fc.constant(`10.96.0.${index + 1}`),
    port: fc.constantFrom(80, 443),
    nodePort: fc.constantFrom(0, 30_000 + index),
    externalIps: fc.subarray(['203.0.113.1']),
    loadBalancerIps: fc.subarray([`203.0.113.${index + 10}`]),
    sourceRanges: fc.subarray(['192.168.0.0/16']),
    affinitySeconds: fc.constantFrom(0, 60),
    isInternalLocal: fc.boolean(),
    isExternalLocal: fc.boolean(),
    targets,
    localTargets: targets,
  });

/** A service appears, changes or goes. */
const change = fc
  .nat(5)
  .chain((index) =>
    fc.record({ key: fc.constant(`default/s${index}`), port: fc.option(portOf(index), { nil: undefined }) }),
  );

const sorted = (text: string): string => text.split('\n').sort().join('\n');

t.test('changes one by one lead to the same rules as writing everything at once', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 25 }), async (changes) => {
      const firewall = createFakeFirewall();
      const stepwise = createRuleset(clusterCidr);
      await firewall.restore(stepwise.renderAll({ nat: [], filter: [] }));
      stepwise.written();
      const last = new Map<string, ServicePort | undefined>();
      for (const { key, port } of changes) {
        stepwise.setService(key, port && renderService([port], clusterCidr));
        last.set(key, port);
        const text = stepwise.renderChanges();
        if (text !== '') await firewall.restore(text);
        stepwise.written();
      }
      const fresh = createFakeFirewall();
      const atOnce = createRuleset(clusterCidr);
      for (const [key, port] of last) atOnce.setService(key, port && renderService([port], clusterCidr));
      await fresh.restore(atOnce.renderAll({ nat: [], filter: [] }));
      for (const table of ['nat', 'filter'] as const) {
        t.equal(sorted(await firewall.save(table)), sorted(await fresh.save(table)));
      }
      // A new agent over the old one's rules keeps none of what should be gone.
      const chains = (text: string): string[] =>
        text
          .split('\n')
          .flatMap((line) => /^:(\S+) -/.exec(line)?.[1] ?? [])
          .filter(isServiceChain);
      const empty = createRuleset(clusterCidr);
      const existing = {
        nat: chains(await firewall.save('nat')),
        filter: chains(await firewall.save('filter')),
      };
      await firewall.restore(empty.renderAll(existing));
      t.notMatch(await firewall.save('nat'), /WHERRY-[SELX]-/);
    }),
    { numRuns: 60 },
  );
});
