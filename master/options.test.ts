import t from 'tap';
import { defaultTls } from '../src/host/tls.js';
import { parseMasterOptions } from './options.js';

t.test('defaults are those of the documentation', async (t) => {
  t.strictSame(parseMasterOptions({}), {
    dataDir: '/var/lib/wherry',
    bindAddress: '0.0.0.0',
    securePort: 6443,
    advertiseAddress: undefined,
    clusterCidr: '10.244.0.0/16',
    serviceCidr: '10.96.0.0/12',
    nodePortRange: { from: 30000, to: 32767 },
    adminKubeconfig: '/etc/wherry/admin.kubeconfig',
    store: 'file',
    encryption: { configFile: undefined, encrypt: true },
    nodeMonitorGracePeriodMs: 40_000,
    defaultEvictionSeconds: 300,
    admission: { enabled: [], disabled: [], configFile: undefined },
    audit: undefined,
    certificates: {
      lifetimeMs: 31_536_000_000,
      signingDurationMs: 31_536_000_000,
      tlsSans: { dnsNames: [], ips: [] },
    },
    listen: { tls: defaultTls, connections: { perClient: 0 } },
    authentication: {
      anonymousAuth: true,
      serviceAccounts: {
        issuers: ['https://kubernetes.default.svc.cluster.local'],
        audiences: undefined,
        keyFiles: [],
        signingKeyFile: undefined,
        jwksUri: undefined,
        maxExpirationSeconds: undefined,
        extendExpiration: true,
      },
      frontProxy: {
        caFile: undefined,
        allowedNames: undefined,
        userHeaders: ['x-remote-user'],
        uidHeaders: ['x-remote-uid'],
        groupHeaders: ['x-remote-group'],
        extraPrefixes: ['x-remote-extra-'],
      },
      oidc: undefined,
      webhook: undefined,
      configFile: undefined,
    },
    logLevel: 'info',
  });
  const given = parseMasterOptions({
    nodeMonitorGracePeriod: '4s',
    defaultEvictionTimeout: '1m',
    dataDir: '/x/',
  });
  t.match(given, { nodeMonitorGracePeriodMs: 4000, defaultEvictionSeconds: 60, dataDir: '/x' });
});

t.test('a wrong value is refused by flag and value', async (t) => {
  const cases: [Record<string, string>, string][] = [
    [{ securePort: '70000' }, '--secure-port: "70000" must be a number from 1 to 65535'],
    [{ securePort: '1e3' }, '--secure-port: "1e3" must be a number from 1 to 65535'],
    [{ bindAddress: '010.1.1.1' }, '--bind-address: "010.1.1.1" is no IP address'],
    [{ dataDir: 'here' }, '--data-dir: "here" must be an absolute path'],
    [
      { serviceCidr: '10.96.0.1/12' },
      '--service-cidr: "10.96.0.1/12" is no network; write it like 10.96.0.0/12, without host bits',
    ],
    [
      { serviceCidr: '10.244.8.0/24' },
      '--service-cidr: "10.244.8.0/24" overlaps with --cluster-cidr "10.244.0.0/16"',
    ],
    [
      { serviceNodePortRange: '5-1' },
      '--service-node-port-range: "5-1" is no range of ports; write it like 30000-32767',
    ],
    [{ store: 'mysql://x' }, '--store: "mysql://x" is not supported; take "file"'],
    [
      { nodeMonitorGracePeriod: '4' },
      '--node-monitor-grace-period: "4" is no duration; write 40s, 30m, 24h or 1h30m',
    ],
    [{ logLevel: 'loud' }, '--log-level: "loud" is unknown; take one of debug, info, warn, error, silent'],
  ];
  for (const [raw, message] of cases) t.throws(() => parseMasterOptions(raw), { message });
});
