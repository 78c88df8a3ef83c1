/** Several admissions as one: who is asked, in which order, about what. */
import t from 'tap';
import { forbidden } from '../../src/api/errors.js';
import type { KubeObject } from '../../src/api/types.js';
import type { Admission, AdmissionRequest } from '../registry/admission.js';
import { inSequence } from './sequence.js';

const seen: string[] = [];

/** Concerned with one operation; notes that it was asked, and leaves its name on the object. */
const part = (name: string, operation: string): Admission => ({
  concerns: (_resource, asked) => asked === operation,
  async mutate({ object }) {
    seen.push(`${name} mutates ${object?.metadata.name}`);
    return { ...object, metadata: { name: `${object?.metadata.name}-${name}` } };
  },
  async validate({ object }) {
    seen.push(`${name} validates ${object?.metadata.name}`);
    if (name === 'never') throw forbidden({ group: '', resource: 'pods', name: 'x' }, 'never');
  },
});

t.test('each sees what the one before made of it', async (t) => {
  const all = inSequence([
    part('a', 'CREATE'),
    part('b', 'UPDATE'),
    part('c', 'CREATE'),
    part('never', 'DELETE'),
  ]);
  const object: KubeObject = { metadata: { name: 'x' } };
  const request = (operation: string): AdmissionRequest =>
    ({ operation, object, subresource: '' }) as unknown as AdmissionRequest;
  const { resource } = request('');
  t.ok(all.concerns(resource, 'CREATE', ''));
  t.notOk(all.concerns(resource, 'CONNECT', ''));
  t.match(await all.mutate(request('CREATE')), { metadata: { name: 'x-a-c' } });
  t.equal(await all.mutate(request('CONNECT')), object);
  await all.validate(request('CREATE'));
  t.strictSame(seen, ['a mutates x', 'c mutates x-a', 'a validates x', 'c validates x']);
  await t.rejects(all.validate(request('DELETE')), /pods "x" is forbidden: never/);
});
