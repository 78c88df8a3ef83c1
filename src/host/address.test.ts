/** What the kernel of the machine at hand answers. */
import t from 'tap';
import { hostAddress, sourceAddress } from './address.js';

t.test('the address on the way to a destination', async (t) => {
  t.equal(await sourceAddress('127.0.0.1'), '127.0.0.1');
  // The kernel never routes to it: a failure is no address, not 0.0.0.0.
  t.equal(await sourceAddress('255.255.255.255'), undefined);
});

t.test('the address of the host is one that others can use', async (t) => {
  t.notMatch((await hostAddress()) ?? '', /^(0\.0\.0\.0|127\.)/);
});
