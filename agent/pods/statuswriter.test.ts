/** The writer of statuses while the API is away, and when it is back. */
import t from 'tap';
import { ApiError } from '../../src/api/errors.js';
import type { Pod } from '../../src/api/types.js';
import { silentLogger } from '../../src/host/log.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { createStatusWriter } from './statuswriter.js';

const podOf = (name: string): Pod => ({
  metadata: { name, namespace: 'default', uid: name, resourceVersion: '1' },
  status: {},
});

t.test('one write that gets through brings the others along', async (t) => {
  const clock = createFakeClock();
  const known = new Map(['a', 'b', 'c'].map((name) => [name, podOf(name)]));
  const written: string[] = [];
  let isAway = true;
  const writer = createStatusWriter({
    client: {
      patch: (async (_type: unknown, { name }: { name: string }) => {
        if (isAway) throw new ApiError('ServiceUnavailable', 'away');
        written.push(name);
        return { ...known.get(name), metadata: { ...known.get(name)?.metadata, resourceVersion: '2' } };
      }) as never,
      delete: async () => undefined as never,
    },
    podOf: (uid) => known.get(uid),
    clock,
    log: silentLogger,
  });
  await writer.start(new AbortController().signal);
  const publish = (name: string): void => writer.publish(podOf(name), { phase: 'Running' });
  publish('a');
  publish('b');
  for (let tries = 0; tries < 10; tries += 1) await clock.advance(10_000);
  t.same(written, [], 'nothing gets through');
  isAway = false;
  publish('c');
  await clock.advance(0);
  t.same([...written].sort(), ['a', 'b', 'c'], 'without waiting for the back-off of each');
  await writer.stop();
});
