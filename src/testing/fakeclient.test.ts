import t from 'tap';
import { namespaces } from '../api/kinds.js';
import { namespace } from './builders.js';
import { clientContract } from './client.contract.js';
import { createFakeClient } from './fakeclient.js';

clientContract(t, () => {
  const client = createFakeClient();
  client.seed(namespaces, namespace('default'));
  return Promise.resolve({ client, close: () => Promise.resolve() });
});
