/** Is /stats/summary complete on cgroup v2? Argument: the file. Run by cgroups.sh. */
import { readFileSync } from 'node:fs';

const { node, pods } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const problems = [];
const positive = (what, value) => {
  if (!(value > 0)) problems.push(`${what} is ${value}`);
};
positive('node cpu', node.cpu?.usageCoreNanoSeconds);
positive('node memory', node.memory?.workingSetBytes);
positive('node memory available', node.memory?.availableBytes);
positive('node rootfs', node.fs?.availableBytes);
const pod = pods.find(({ podRef }) => podRef.name === 'guaranteed');
positive('pod memory', pod?.memory?.workingSetBytes);
positive('pod cpu', pod?.cpu?.usageCoreNanoSeconds);
positive('container memory', pod?.containers?.[0]?.memory?.workingSetBytes);
positive('container cpu', pod?.containers?.[0]?.cpu?.usageCoreNanoSeconds);
const limit = 64 * 1024 * 1024;
if (!(pod?.memory?.availableBytes <= limit))
  problems.push(`available of the pod is ${pod?.memory?.availableBytes}`);
process.stdout.write(problems.map((text) => `${text}\n`).join(''));
process.exit(problems.length === 0 ? 0 : 1);
