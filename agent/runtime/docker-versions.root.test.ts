/**
 * Every Docker that Debian offers passes what the installed one passes: the contract and the details, each against a
 * daemon of its own. Needs apt to download the later ones.
 */
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { startDockerOf } from './docker-suites-testing.js';

const isBuilt = import.meta.url.endsWith('.js');
const flags = isBuilt ? [] : ['--import', 'tsx'];
const suites = { trixie: /^26\./, sid: /^(2[89]|[3-9]\d)\./ } as const;

for (const suite of ['trixie', 'sid'] as const) {
  t.test(`Docker of ${suite}`, { timeout: 600_000 }, async (t) => {
    const docker = await startDockerOf(suite);
    t.teardown(() => docker.close());
    t.match(docker.version, suites[suite]);
    for (const name of ['docker', 'docker-details']) {
      const file = fileURLToPath(new URL(`./${name}.root.test.${isBuilt ? 'js' : 'ts'}`, import.meta.url));
      const env = { ...process.env, WHERRY_TEST_DOCKER: docker.socketPath, TAP_TIMEOUT: '300' };
      await t.spawn(
        process.execPath,
        [...flags, file],
        { env, timeout: 300_000 },
        `${name}, ${docker.version}`,
      );
    }
  });
}
