/** Usage from cgroup files to summaries and Prometheus text; rates over a clock that the test moves. */
import t from 'tap';
import type { Pod } from '../../src/api/types.js';
import { createFakeClock } from '../../src/testing/clock.js';
import { Durations } from '../probes/durations.js';
import { metricsPages } from './metrics-pages.js';
import { createStats } from './stats.js';
import { createDiskStats } from './stats-disk.js';
import {
  parseInterfaces,
  type Usage,
  UsageReader,
  usageOfMachine,
  usageOfV1,
  usageOfV2,
} from './stats-usage.js';

t.test('files of cgroup v1', async (t) => {
  const files = {
    'cpuacct.usage': '5000000000',
    'cpuacct.stat': 'user 300\nsystem 150',
    'cpu.stat': 'nr_periods 10\nnr_throttled 3\nthrottled_time 77',
    'memory.usage_in_bytes': '1000',
    'memory.stat':
      'rss 1\ntotal_rss 400\ntotal_cache 600\ntotal_inactive_file 250\ntotal_pgfault 9\ntotal_pgmajfault 2\ntotal_swap 5',
    'memory.limit_in_bytes': '9223372036854771712',
    'pids.current': '4',
  };
  const expected: Usage = {
    cpuNanos: 5_000_000_000,
    cpuUserNanos: 3_000_000_000,
    cpuSystemNanos: 1_500_000_000,
    periods: 10,
    throttledPeriods: 3,
    throttledNanos: 77,
    memoryBytes: 1000,
    workingSetBytes: 750,
    rssBytes: 400,
    cacheBytes: 600,
    swapBytes: 5,
    pageFaults: 9,
    majorPageFaults: 2,
    memoryLimitBytes: undefined,
    processes: 4,
  };
  t.strictSame(usageOfV1(files), expected);
  const io = {
    'blkio.throttle.io_service_bytes_recursive': '8:0 Read 100\n8:0 Write 7\n9:1 Read 11\nTotal 118',
    'blkio.throttle.io_serviced_recursive': 'Total 0',
  };
  t.strictSame(usageOfV1({ ...files, ...io }).io, { readBytes: 111, writeBytes: 7, reads: 0, writes: 0 });
  t.equal(usageOfV1({ ...files, 'memory.limit_in_bytes': '4096' }).memoryLimitBytes, 4096);
});

t.test('files of cgroup v2', async (t) => {
  const files = {
    'cpu.stat':
      'usage_usec 5000000\nuser_usec 3000000\nsystem_usec 1500000\nnr_periods 10\nnr_throttled 3\nthrottled_usec 7',
    'memory.current': '1000',
    'memory.stat': 'anon 400\nfile 600\ninactive_file 2000\npgfault 9\npgmajfault 2',
    'memory.max': 'max',
    'memory.swap.current': '',
    'pids.current': '4',
  };
  t.match(usageOfV2(files), {
    ...{ cpuNanos: 5e9, cpuUserNanos: 3e9, throttledNanos: 7000, rssBytes: 400, cacheBytes: 600 },
    ...{ workingSetBytes: 0, swapBytes: 0, memoryLimitBytes: undefined, processes: 4 },
  });
  t.equal(usageOfV2({ ...files, 'memory.max': '4096' }).memoryLimitBytes, 4096);
  const io = '8:0 rbytes=100 wbytes=7 rios=3 wios=1 dbytes=0 dios=0\n9:1 rbytes=11 wbytes=0 rios=1 wios=0';
  t.strictSame(usageOfV2({ ...files, 'io.stat': io }).io, {
    readBytes: 111,
    writeBytes: 7,
    reads: 4,
    writes: 1,
  });
});

t.test('the machine', async (t) => {
  const stat = 'cpu  100 10 50 9999 5 1 2 3 0 0\ncpu0 1 1 1 1';
  const meminfo = 'MemTotal: 1000 kB\nMemFree: 300 kB\nInactive(file): 200 kB\nAnonPages: 50 kB\n';
  t.match(usageOfMachine({ stat, meminfo, vmstat: 'pgfault 7\npgmajfault 1' }), {
    cpuNanos: 166 * 1e7,
    memoryBytes: 700 * 1024,
    workingSetBytes: 500 * 1024,
    pageFaults: 7,
    memoryLimitBytes: 1000 * 1024,
  });
  const text = [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop',
    '    lo: 10 1 0 0 0 0 0 0 10 1 0 0 0 0 0 0',
    '  eth0: 1000 5 1 0 0 0 0 0 2000 6 2 0 0 0 0 0',
    'veth12: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1',
  ].join('\n');
  t.strictSame(parseInterfaces(text), [
    {
      name: 'eth0',
      rxBytes: 1000,
      rxPackets: 5,
      rxErrors: 1,
      rxDropped: 0,
      txBytes: 2000,
      txPackets: 6,
      txErrors: 2,
      txDropped: 0,
    },
  ]);
});

t.test('this host', async (t) => {
  const reader = await UsageReader.create();
  t.equal(await reader.read('wherry-no-such-cgroup'), undefined);
  t.equal(await reader.processIn('wherry-no-such-cgroup'), 0);
});

function subject(directory: string) {
  const clock = createFakeClock('2026-03-01T12:00:00.000Z');
  const nothing = usageOfV2({});
  const usages = new Map<string, Usage>();
  const use = (path: string, cpuNanos: number): unknown =>
    usages.set(path, { ...nothing, cpuNanos, memoryBytes: 2048, workingSetBytes: 1024 });
  const pods: Pod[] = [
    {
      metadata: { name: 'web', namespace: 'default', uid: 'u1' },
      spec: { containers: [{ name: 'main', image: 'x' }] },
      status: {
        phase: 'Running',
        startTime: '2026-03-01T11:00:00Z',
        containerStatuses: [
          {
            ...{ name: 'main', image: 'x', imageID: '', ready: true, restartCount: 0 },
            containerID: 'docker://c1',
            state: { running: { startedAt: '2026-03-01T11:59:50Z' } },
          },
        ],
      },
    },
    { metadata: { name: 'gone', namespace: 'default', uid: 'u2' }, status: { phase: 'Running' } },
  ];
  const stop = new AbortController();
  const stats = createStats({
    reader: { read: async (path) => usages.get(path), processIn: async () => 0 },
    pods: () => pods,
    cgroups: { root: ['kubepods'], driver: 'cgroupfs' },
    dataDirectory: directory,
    clock,
    signal: stop.signal,
  });
  return { clock, use, stats, stop, pods };
}

const podPath = 'kubepods/besteffort/podu1';

t.test('rates need two samples; nothing is read while nobody asks', async (t) => {
  const { clock, use, stats } = subject(t.testdir());
  use(podPath, 1e9);
  use(`${podPath}/c1`, 1e9);
  const first = stats.sample();
  while (clock.pending === 0) await new Promise(setImmediate);
  use(podPath, 1.25e9);
  use(`${podPath}/c1`, 1.25e9);
  await clock.advance(500);
  const sample = await first;
  t.equal(sample.windowMs, 500);
  t.match(sample.pods, [{ cpuRate: 0.5e9, containers: [{ name: 'main', id: 'c1', cpuRate: 0.5e9 }] }]);
  t.equal(sample.pods.length, 1, 'a pod without a cgroup is none');
  t.equal(stats.sample(), first, 'shared for a second');

  await clock.advance(10_000);
  use(`${podPath}/c1`, 2.25e9);
  const second = await stats.sample();
  t.equal(second.windowMs, 10_000);
  t.match(second.pods, [{ containers: [{ cpuRate: 0.1e9 }] }]);

  await clock.advance(5000);
  use(`${podPath}/c1`, 0.1e9);
  const restarted = await stats.sample();
  t.match(restarted.pods, [{ containers: [{ cpuRate: (0.1e9 / 25_500) * 1000 }] }], 'from its start on');
});

t.test('pages', async (t) => {
  const { clock, use, stats, pods } = subject(t.testdir());
  use(podPath, 1e9);
  use(`${podPath}/c1`, 1e9);
  const durations = new Durations();
  for (const seconds of [0.001, 0.02, 0.02, 20]) durations.observe(seconds);
  const fs = { capacityBytes: 100, availableBytes: 60, usedBytes: 40, inodes: 10, inodesFree: 5 };
  let walks = 0;
  const containers = [{ name: 'main', memoryBytes: 0, layerBytes: 7, logs: { bytes: 3, inodes: 1 } }];
  const volumes = new Map([['cache', { bytes: 20, inodes: 2 }]]);
  const measured = createDiskStats({
    measure: {
      disk: async () => {
        walks += 1;
        return new Map([['u1', { memoryBytes: 0, processes: 0, containers, volumes }]]);
      },
    },
    imageDirectory: async () => '/',
    processes: async () => ({ limit: 1000, used: 50 }),
    pods: () => pods,
    clock,
    signal: new AbortController().signal,
  });
  const pages = metricsPages({
    nodeName: 'n1',
    disk: async () => ({ ...(await measured()), imageFs: fs }),
    stats,
    machine: () => ({ cpuCount: 2, memoryBytes: 1000 }),
    startedAt: clock.now(),
    pods: () => pods,
    probeResults: () => [
      {
        podUid: 'u1',
        container: 'main',
        kind: 'liveness',
        counts: { successful: 5, failed: 1, unknown: 2, durations },
      },
    ],
  });
  const page = async (path: string, query = ''): Promise<string> => {
    const content = await pages.get(path)?.(new URLSearchParams(query));
    return String(content?.body);
  };
  const asked = page('/stats/summary');
  while (clock.pending === 0) await new Promise(setImmediate);
  await clock.advance(500);
  t.match(JSON.parse(await asked), {
    window: 0.5,
    node: { nodeName: 'n1', cpu: { usageCoreNanoSeconds: Number }, fs: { capacityBytes: Number } },
    pods: [
      {
        podRef: { name: 'web', namespace: 'default', uid: 'u1' },
        cpu: { usageNanoCores: 0, usageCoreNanoSeconds: 1e9, time: '2026-03-01T12:00:00.500Z' },
        memory: { usageBytes: 2048, workingSetBytes: 1024 },
        containers: [{ name: 'main', startTime: '2026-03-01T11:59:50Z' }],
        process_stats: { process_count: 0 },
      },
    ],
  });
  t.match(JSON.parse(await asked), {
    node: {
      runtime: { imageFs: { usedBytes: 40, capacityBytes: 100, inodesUsed: 5 } },
      rlimit: { maxpid: 1000, curproc: 50 },
    },
    pods: [
      {
        containers: [{ rootfs: { usedBytes: 7, capacityBytes: 100 }, logs: { usedBytes: 3, inodesUsed: 1 } }],
        volume: [{ name: 'cache', usedBytes: 20, inodesUsed: 2 }],
        'ephemeral-storage': { usedBytes: 30, inodesUsed: 3 },
      },
    ],
  });
  t.notMatch(JSON.parse(await page('/stats/summary', 'only_cpu_and_memory=true')), { node: { fs: {} } });
  const resource = await page('/metrics/resource');
  t.match(resource, /^node_cpu_usage_seconds_total \d/m);
  t.match(resource, /^pod_memory_working_set_bytes\{namespace="default",pod="web"\} 1024$/m);
  t.match(
    resource,
    /^container_cpu_usage_seconds_total\{container="main",namespace="default",pod="web"\} 1$/m,
  );
  const cadvisor = await page('/metrics/cadvisor');
  t.match(cadvisor, /^# TYPE container_cpu_usage_seconds_total counter$/m);
  t.match(
    cadvisor,
    /^container_memory_rss\{id="\/c1",namespace="default",pod="web",container="main",image="x",name="c1"\} 0$/m,
  );
  t.match(cadvisor, /^machine_cpu_cores 2$/m);
  t.match(cadvisor, /^container_fs_usage_bytes\{id="\/c1",.*\} 10$/m);
  t.match(
    cadvisor,
    /^container_memory_failures_total\{.*container="main".*failure_type="pgmajfault".*\} \d+$/m,
  );
  t.equal(walks, 1, 'the disk is not walked for every question');
  await clock.advance(30_000);
  const probes = await page('/metrics/probes');
  const ofProbe = 'probe_type="Liveness",container="main",pod="web",namespace="default"';
  for (const line of [
    `_bucket{${ofProbe},le="0.005"} 1`,
    `_bucket{${ofProbe},le="0.025"} 3`,
    `_bucket{${ofProbe},le="10"} 3`,
    `_bucket{${ofProbe},le="+Inf"} 4`,
    `_count{${ofProbe}} 4`,
  ])
    t.ok(probes.includes(`\nprober_probe_duration_seconds${line}\n`), line);
  t.match(
    probes,
    /^prober_probe_total\{probe_type="Liveness",result="failed",container="main",pod="web",namespace="default",pod_uid="u1"\} 1$/m,
  );
  const own = await page('/metrics');
  t.match(own, /^kubelet_running_pods 2$/m);
  t.match(own, /^kubelet_running_containers\{container_state="running"\} \d$/m);
  t.match(own, /^process_resident_memory_bytes \d+$/m);
});
