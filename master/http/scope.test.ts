import t from 'tap';
import { parseRequest } from './request.js';
import { RequestScope } from './scope.js';

t.test('a warning that was given is not given again', async (t) => {
  const scope = new RequestScope({
    info: parseRequest('PATCH', '/api/v1/namespaces/default/pods/web'),
    user: { name: 'ann', groups: [] },
    connection: { destroyed: false, once: () => undefined },
    userAgent: undefined,
  });
  for (const message of ['one', 'two', 'one']) scope.warn(message);
  t.same(scope.warningHeaders(), ['299 - "one"', '299 - "two"']);
});
