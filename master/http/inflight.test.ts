import t from 'tap';
import type { User } from '../registry/registry.js';
import { InFlight, isUrgent } from './inflight.js';

const user = (name: string, ...groups: string[]): User => ({ name, groups });
/** A clock: what is asked takes no time, so nobody uses up a slice. */
const standing = (): number => 0;

/** Enters and notes when it may go on. */
function asking(flight: InFlight): { order: string[]; ask(who: User): void; settled(): Promise<void> } {
  const order: string[] = [];
  return {
    order,
    ask(who) {
      const wait = flight.enter(who);
      if (wait !== undefined) void wait.then(() => order.push(who.name));
      else order.push(who.name);
    },
    settled: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

t.test('one user waits behind itself, nobody else does', async (t) => {
  const flight = new InFlight({ perUser: 2, total: 10, queued: 3 }, standing);
  const { order, ask, settled } = asking(flight);
  const flood = user('flood');
  for (let n = 0; n < 5; n++) ask(flood);
  t.throws(() => flight.enter(flood), { code: 429, details: { retryAfterSeconds: 1 } });
  ask(user('other'));
  t.same(order, ['flood', 'flood', 'other']);
  flight.leave(flood);
  flight.leave(flood);
  await settled();
  t.same(order, ['flood', 'flood', 'other', 'flood', 'flood']);
  t.doesNotThrow(() => ask(flood), 'there is room again');
});

t.test('who keeps the thread busy waits for the next turn, others do not', async (t) => {
  let nowMs = 0;
  const flight = new InFlight({ sliceMs: 4 }, () => nowMs);
  const heavy = user('heavy');
  let served = 0;
  const work = (): void => {
    nowMs += 3;
    served += 1;
    flight.leave(heavy);
  };
  for (let n = 0; n < 20; n++) {
    const wait = flight.enter(heavy);
    if (wait === undefined) work();
    else void wait.then(work);
  }
  t.equal(served, 2, 'a slice is used up');
  t.equal(flight.enter(user('light')), undefined);
  for (let turn = 1; turn <= 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(flight.enter(user('light')), undefined);
    t.ok(served <= 2 + turn, `turn ${turn}: ${served}`);
  }
  for (let turn = 0; turn < 40 && served < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  t.equal(served, 20);
});

t.test('beyond the total, users take turns', async (t) => {
  const flight = new InFlight({ perUser: 2, total: 2, queued: 100 }, standing);
  const { order, ask, settled } = asking(flight);
  const [a, b, c] = [user('a'), user('b'), user('c')];
  for (let n = 0; n < 8; n++) ask(a);
  for (let n = 0; n < 3; n++) ask(b);
  ask(c);
  const running = ['a', 'a'];
  for (let n = 0; n < 12; n++) {
    const done = running.shift();
    if (done) flight.leave(user(done));
    await settled();
    running.splice(0, running.length, ...order.slice(n + 1, n + 3));
  }
  t.equal(order.length, 12, 'everybody came in');
  t.ok(order.indexOf('c') < 6, order.join(''));
  t.ok(order.lastIndexOf('b') < order.lastIndexOf('a'), order.join(''));
  t.equal(flight.enter(user('a')), undefined, 'nothing is left behind');
});

t.test('masters wait but are not refused; what keeps nodes alive does not wait', (t) => {
  const flight = new InFlight({ perUser: 1, total: 1, queued: 1 }, standing);
  const admin = user('admin', 'system:masters');
  t.equal(flight.enter(admin), undefined);
  for (let n = 0; n < 5; n++) t.ok(flight.enter(admin) instanceof Promise);
  const node = user('system:node:n1', 'system:nodes');
  t.ok(isUrgent(node, { resource: 'leases', subresource: '' }));
  t.ok(isUrgent(node, { resource: 'pods', subresource: 'status' }));
  t.notOk(isUrgent(node, { resource: 'pods', subresource: '' }));
  t.notOk(isUrgent(user('x'), { resource: 'leases', subresource: '' }));
  t.end();
});
