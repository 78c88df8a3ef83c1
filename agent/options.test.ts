import t from 'tap';
import { refuseServiceAddress } from './address.js';
import { parseAgentOptions } from './options.js';

t.test('defaults', async (t) => {
  t.match(parseAgentOptions({ nodeName: 'n' }), {
    server: 'https://127.0.0.1:6443',
    nodeName: 'n',
    dataDir: '/var/lib/wherry',
    runtimeEndpoint: '/var/run/docker.sock',
    agentPort: 10250,
    cgroupRoot: '/kubepods',
    maxPods: 110,
    registerWithTaints: [],
    podConfig: {
      clusterDns: [],
      clusterDomain: 'cluster.local',
      seccompDirectory: '/var/lib/wherry/agent/seccomp',
    },
  });
});

t.test('each runtime has its socket', async (t) => {
  t.match(parseAgentOptions({ nodeName: 'n', runtime: 'containerd' }), {
    runtime: 'containerd',
    runtimeEndpoint: '/run/containerd/containerd.sock',
  });
  t.match(
    parseAgentOptions({ nodeName: 'n', runtime: 'containerd', runtimeEndpoint: 'unix:///run/x.sock' }),
    {
      runtimeEndpoint: '/run/x.sock',
    },
  );
});

t.test('values', async (t) => {
  const raw = {
    nodeName: 'n',
    nodeLabels: 'a=b,c=',
    registerWithTaints: 'k=v:NoSchedule,x:NoExecute',
    server: 'https://h:1',
  };
  t.match(parseAgentOptions(raw), {
    server: 'https://h:1',
    nodeLabels: { a: 'b', c: '' },
    registerWithTaints: [
      { key: 'k', value: 'v', effect: 'NoSchedule' },
      { key: 'x', effect: 'NoExecute' },
    ],
  });
});

t.test('what is kept back, and for how long a shutdown waits', async (t) => {
  const raw = {
    nodeName: 'n',
    systemReserved: 'cpu=100m, memory=1Gi',
    kubeReserved: 'pid=1000',
    enforceNodeAllocatable: 'none',
    podMaxPids: '-1',
    cpuCfsQuota: 'false',
    shutdownGracePeriod: '30s',
    shutdownGracePeriodCriticalPods: '10s',
    streamingConnectionIdleTimeout: '0s',
    nodeLabels: 'topology.kubernetes.io/zone=a,node.kubernetes.io/x=1,mine.example/y=2',
  };
  t.match(parseAgentOptions(raw), {
    systemReserved: { cpu: '100m', memory: '1Gi' },
    kubeReserved: { pid: '1000' },
    enforceNodeAllocatable: [],
    podMaxPids: undefined,
    cpuCfsQuota: false,
    memoryReservationPolicy: 'None',
    shutdownGracePeriodMs: 30_000,
    shutdownGracePeriodCriticalPodsMs: 10_000,
    streamingConnectionIdleTimeoutMs: 0,
    nodeLabels: { 'topology.kubernetes.io/zone': 'a' },
  });
  t.equal(parseAgentOptions({ ...raw, podMaxPids: '99' }).podMaxPids, 99);
  t.strictSame(parseAgentOptions({ nodeName: 'n' }).enforceNodeAllocatable, ['pods']);
});

t.test('refusals name flag and value', async (t) => {
  const refused = (raw: Record<string, string>): string => {
    try {
      parseAgentOptions({ nodeName: 'n', ...raw });
      return '';
    } catch (error) {
      return String(error);
    }
  };
  t.match(refused({ server: 'http://x' }), /--server: "http:\/\/x" is no address/);
  t.match(refused({ nodeName: 'A_B' }), /--node-name: "A_B" is no name/);
  t.match(refused({ nodeIp: '1.2.3' }), /--node-ip/);
  t.match(refused({ agentPort: '70000' }), /--agent-port: "70000" must be a number from 1 to 65535/);
  t.match(refused({ registerWithTaints: 'a=b' }), /--register-with-taints: "a=b" must end in/);
  t.match(refused({ dataDir: 'x' }), /--data-dir: "x" must be an absolute path/);
  t.match(refused({ serviceCidr: '10.244.0.0/24' }), /overlaps with --cluster-cidr/);
  t.match(refused({ systemReserved: 'memory' }), /--system-reserved: "memory" must be one of cpu, memory/);
  t.match(refused({ systemReserved: 'cpu=1x' }), /--system-reserved: "cpu=1x" has no amount like 100m/);
  t.match(refused({ kubeReserved: 'cpu=x' }), /--kube-reserved/);
  t.match(refused({ enforceNodeAllocatable: 'system-reserved' }), /take "pods", or "none"/);
  t.match(refused({ podMaxPids: '0' }), /--pod-max-pids: "0" must be a number from 1/);
  t.match(refused({ shutdownGracePeriodCriticalPods: '5s' }), /is more than --shutdown-grace-period/);
  t.match(refused({ nodeLabels: 'node-role.kubernetes.io/x=' }), /no label that a node may give itself/);
  t.match(refused({ clusterDns: '10.0.0.1,x' }), /--cluster-dns: "x" is no IP address/);
  t.match(refused({ clusterDomain: 'a_b' }), /--cluster-domain: "a_b" is no DNS domain/);
  t.match(
    refused({ allowedUnsafeSysctls: 'vm.x' }),
    /--allowed-unsafe-sysctls: "vm.x" is not of a namespace/,
  );
  t.match(refused({ runtime: 'podman' }), /is not supported/);
});

t.test('no node has the address of a Service', async (t) => {
  t.throws(() => refuseServiceAddress('10.98.0.1', '10.96.0.0/12'), {
    message:
      /10\.98\.0\.1, lies in the network of Services, 10\.96\.0\.0\/12: name another one with --node-ip/,
  });
  t.doesNotThrow(() => refuseServiceAddress('10.66.0.1', '10.96.0.0/12'));
});
