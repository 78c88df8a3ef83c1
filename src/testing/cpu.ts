/** What work costs, however busy the machine is with other things. Imported by tests only. */

/** Processor time of this process, all threads, milliseconds. */
export async function cpuMsOf(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
