import fc from 'fast-check';
import t from 'tap';
import { parseRequest } from './request.js';

t.test('resource paths', async (t) => {
  const cases: [string, string, object | undefined][] = [
    [
      'GET',
      '/api/v1/pods',
      { verb: 'list', group: '', version: 'v1', resource: 'pods', namespace: undefined },
    ],
    ['GET', '/api/v1/pods?watch=false', { verb: 'list' }],
    ['GET', '/api/v1/pods?watch=', { verb: 'watch' }],
    [
      'GET',
      '/apis/apps/v1/namespaces/a/deployments/b/scale',
      { verb: 'get', group: 'apps', subresource: 'scale' },
    ],
    [
      'PATCH',
      '/api/v1/namespaces/a/status',
      { verb: 'patch', resource: 'namespaces', name: 'a', subresource: 'status' },
    ],
    ['DELETE', '/api/v1/namespaces/a', { verb: 'delete', resource: 'namespaces', name: 'a', namespace: 'a' }],
    ['GET', '/api/v1/namespaces', { verb: 'list', resource: 'namespaces', name: undefined }],
    ['POST', '/api/v1/nodes/', { verb: 'create', resource: 'nodes' }],
    ['GET', '/api/v1/namespaces/a/pods/b/proxy/x/y', { subresource: 'proxy', rest: ['x/y'] }],
    ['GET', '/api/v1', undefined],
    ['GET', '/apis/apps/v1', undefined],
    ['GET', '/api/v1//pods', { verb: 'list', resource: '', name: undefined, namespace: undefined }],
    ['GET', '/apis/a/v1/namespaces/b//pods', { verb: 'list', resource: '' }],
    ['GET', '/apis/a/v1/pods//', { verb: 'list', resource: '' }],
    ['GET', '/', undefined],
  ];
  for (const [method, url, wanted] of cases) {
    const { verb, target } = parseRequest(method, url);
    if (wanted) t.match({ verb, ...target }, wanted, url);
    else t.equal(target, undefined, url);
  }
});

t.test('any name survives the way through a URL, and none becomes a path', async () => {
  const name = fc.string({ minLength: 1, maxLength: 253 }).filter((text) => !/[/\0]|^\.\.?$/.test(text));
  fc.assert(
    fc.property(name, name, (namespace, pod) => {
      const url = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(pod)}`;
      const { target } = parseRequest('GET', url);
      return target?.namespace === namespace && target.name === pod && target.resource === 'pods';
    }),
  );
});

t.test('steps up and down are no names, however they are written', async (t) => {
  for (const path of ['/api/v1/pods/..', '/openapi/v3/%2e%2e/apis/a/v1', '/apis/a/v1/%2E/b', '/../metrics'])
    t.throws(() => parseRequest('GET', path), { code: 400, message: /^invalid path segment "\.\.?"$/ }, path);
});

t.test('a list of one object is known by its name, however the selector is written', async (t) => {
  const rows: [string, string | undefined][] = [
    ['metadata.name=a', 'a'],
    ['type=x,metadata.name==a', 'a'],
    ['metadata.name=', undefined],
    ['metadata.name!=a', undefined],
    ['type!=x\\,metadata.name=a', undefined],
    ['type!=x\\\\,metadata.name=a', 'a'],
    ['metadata.name=a\\,b', 'a,b'],
    ['xmetadata.name=a', undefined],
    ['metadata.name=a,b', undefined],
  ];
  for (const [selector, name] of rows) {
    const { target } = parseRequest('GET', `/api/v1/secrets?fieldSelector=${encodeURIComponent(selector)}`);
    t.equal(target?.name, name, selector);
  }
});
