/** The layout of the project, held by a machine: imports point downwards only. Checked by `npm run check:imports`. */
const no = (name, comment, from, to) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: to },
});
const test = '\\.test\\.ts$|[./]contract\\.ts$|/testing/|[/-]testing\\.ts$|^test/|^bench/';

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    no(
      'api-is-pure',
      'src/api knows only itself',
      '^src/api/(?!.*\\.test\\.ts)',
      '^(src/(?!api/)|master|agent)',
    ),
    no(
      'net-is-pure',
      'src/net knows only src/api',
      '^src/net/(?!.*\\.test\\.ts)',
      '^(src/(?!api/|net/)|master|agent)',
    ),
    no(
      'pure-does-no-io',
      'no I/O in src/api and src/net',
      '^src/(api|net)/(?!.*\\.test\\.ts)',
      '^(node:)?(fs|net|http|https|child_process|dgram|tls)',
    ),
    no(
      'host-below-client',
      'src/host knows only src/api',
      '^src/host/(?!.*\\.test\\.ts)',
      '^(src/(client|cli|testing)/|master|agent)',
    ),
    no(
      'client-below-roles',
      'the client knows neither role',
      '^src/client/(?!.*\\.test\\.ts)',
      '^(src/cli/|master|agent)',
    ),
    no(
      'shared-knows-no-role',
      'only src/cli starts roles',
      '^src/(?!cli/)(?!.*\\.test\\.ts)',
      '^(master|agent)',
    ),
    no('master-not-agent', 'the API is between them', '^master/', '^agent/'),
    no('agent-not-master', 'the API is between them', '^agent/(?!.*\\.test\\.ts)', '^master/'),
    no('nobody-imports-cli', 'the command is the top', '^(master|agent|src/(?!cli/))', '^src/cli/'),
    no(
      'only-registry-stores',
      'one way in: nobody but the registry reads the store',
      '^master/(?!store/|registry/|core\\.ts)(?!.*(?:\\.test|/testing)\\.ts)',
      '^master/store/',
    ),
    {
      name: 'fakes-in-tests-only',
      severity: 'error',
      from: { pathNot: test },
      to: { path: '^src/testing/|[./]contract\\.ts$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
