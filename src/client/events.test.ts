import t from 'tap';
import { ApiError } from '../api/errors.js';
import { events } from '../api/kinds.js';
import { silentLogger } from '../host/log.js';
import { pod } from '../testing/builders.js';
import { createFakeClock, settled } from '../testing/clock.js';
import { createFakeClient, describeWrites } from '../testing/fakeclient.js';
import { createEventRecorder } from './events.js';

function setup(maxQueued?: number, isBusy?: () => boolean) {
  const clock = createFakeClock();
  const client = createFakeClient({ clock });
  const recorder = createEventRecorder({
    client,
    clock,
    log: silentLogger,
    component: 'kubelet',
    host: 'n1',
    ...(maxQueued && { maxQueued }),
    ...(isBusy && { isBusy }),
  });
  const all = async () => (await client.list(events)).items;
  return { clock, client, recorder, all };
}
const web = pod('web', { meta: { uid: 'u1' } });

void t.test('an event names its object, and a repeat counts', async (t) => {
  const { clock, recorder, all, client } = setup();
  recorder.event(web, 'Normal', 'Pulled', 'image pulled', 'spec.containers{main}');
  await settled();
  t.match(await all(), [
    {
      metadata: { namespace: 'default', name: /^web\.[0-9a-f]+$/ },
      involvedObject: {
        kind: 'Pod',
        apiVersion: 'v1',
        name: 'web',
        uid: 'u1',
        fieldPath: 'spec.containers{main}',
      },
      type: 'Normal',
      reason: 'Pulled',
      message: 'image pulled',
      count: 1,
      source: { component: 'kubelet', host: 'n1' },
      reportingComponent: 'kubelet',
      firstTimestamp: '2026-01-01T00:00:00Z',
    },
  ]);
  await clock.advance(5_000);
  recorder.event(web, 'Normal', 'Pulled', 'image pulled', 'spec.containers{main}');
  await settled();
  t.match(await all(), [
    { count: 2, firstTimestamp: '2026-01-01T00:00:00Z', lastTimestamp: '2026-01-01T00:00:05Z' },
  ]);
  for (const { metadata } of await all())
    await client.delete(events, { namespace: 'default', name: metadata.name ?? '' });
  recorder.event(web, 'Normal', 'Pulled', 'image pulled', 'spec.containers{main}');
  await settled();
  t.match(await all(), [{ count: 1 }], 'made again when the old one has expired');
});

void t.test('many texts of one reason become one event', async (t) => {
  const { recorder, all } = setup();
  for (let i = 0; i < 15; i++) recorder.event(web, 'Warning', 'BackOff', `attempt ${i}`);
  await settled();
  const items = await all();
  t.equal(items.length, 11);
  const combined = items.filter((item) => item.message?.startsWith('(combined from similar events): '));
  t.match(combined, [{ count: 5, message: '(combined from similar events): attempt 14' }]);
});

void t.test('a flooding object is cut, others are not', async (t) => {
  const { clock, recorder, all } = setup();
  for (let i = 0; i < 40; i++) recorder.event(web, 'Warning', `Reason${i}`, 'x');
  recorder.event(pod('other', { meta: { uid: 'u2' } }), 'Normal', 'Fine', 'x');
  await settled();
  t.equal((await all()).length, 26);
  t.equal(recorder.dropped, 15);
  await clock.advance(300_000);
  recorder.event(web, 'Warning', 'Later', 'x');
  await settled();
  t.equal((await all()).length, 27);
});

void t.test('an absent server delays, a refusal drops, nothing throws', async (t) => {
  const { clock, client, recorder, all } = setup();
  client.failNext(() => true, new ApiError('ServiceUnavailable', 'away'), 2);
  recorder.event(web, 'Normal', 'A', 'x');
  await clock.advance(10_000);
  t.equal((await all()).length, 1);
  client.failNext((call) => call.verb === 'create', new ApiError('Forbidden', 'namespace ends'));
  recorder.event(web, 'Normal', 'B', 'x');
  recorder.event(web, 'Normal', 'C', 'x');
  await settled();
  t.strictSame((await all()).map((item) => item.reason).toSorted(), ['A', 'C']);
  t.equal(recorder.dropped, 1);
  t.equal(describeWrites(client).length, 2);
});

void t.test('the queue is bounded', async (t) => {
  const { recorder, client } = setup(3);
  client.failNext(() => true, new ApiError('ServiceUnavailable', 'away'), 1);
  for (let i = 0; i < 10; i++) recorder.event(pod(`p${i}`, { meta: { uid: `u${i}` } }), 'Normal', 'A', 'x');
  t.ok(recorder.dropped >= 6);
  await recorder.stop();
  recorder.event(web, 'Normal', 'A', 'x');
  t.ok(recorder.dropped >= 7, 'refused after stop');
});

void t.test(
  'events wait while the process is busy, with the time of when they happened, and not for ever',
  async (t) => {
    let busy = true;
    const { clock, recorder, all } = setup(undefined, () => busy);
    recorder.event(web, 'Normal', 'Started', 'started');
    await settled();
    t.strictSame(await all(), []);
    busy = false;
    await clock.advance(250);
    await settled();
    t.match(await all(), [{ reason: 'Started', firstTimestamp: '2026-01-01T00:00:00Z' }]);
    busy = true;
    recorder.event(web, 'Normal', 'Killing', 'stopping');
    for (let step = 0; step < 80; step++) {
      await clock.advance(250);
      await settled();
    }
    t.equal((await all()).length, 2, 'after twenty seconds it is written all the same');
  },
);
