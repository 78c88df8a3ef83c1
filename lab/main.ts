/**
 * `npm run lab`: a cluster of several hosts on one machine, for trying and testing what needs more than one: a network
 * namespace per host with a Docker daemon, a packet filter and an agent of its own. Real parts only, no simulation.
 */
import { spawnSync } from 'node:child_process';
import { Command } from 'commander';
import { cut, down, heal, kill, startHost, status, up } from './lab.js';
import { kubeconfig, namespaceOf } from './layout.js';

/** Runs a program in a lab host's network with the terminal handed on; its exit code becomes ours. */
function runIn(namespace: string, command: readonly string[]): void {
  const result = spawnSync('nsenter', [`--net=/run/netns/${namespace}`, ...command], {
    stdio: 'inherit',
    env: { ...process.env, KUBECONFIG: kubeconfig },
  });
  process.exitCode = result.status ?? 1;
}

const program = new Command('lab')
  .description('a cluster of several hosts on this machine')
  .enablePositionalOptions();

program
  .command('up', { isDefault: true })
  .description('start it, or what is missing of it')
  .option('--nodes <count>', 'number of hosts', '3')
  .option('--master-flags <flags>', 'further flags of the master, separated by commas: name=value,...', '')
  .action((flags: { nodes: string; masterFlags: string }) => up(Number(flags.nodes), flags.masterFlags));
program.command('down').description('end it and remove everything of it').action(down);
program.command('status').description('what runs where').action(status);
program
  .command('kill <node>')
  .description('power cut: end a host with all its containers at once')
  .action(kill);
program.command('start <node>').description('power on again').action(startHost);
program.command('cut <node>').description("pull the host's network cable").action(cut);
program.command('heal <node>').description('put the cable back').action(heal);
program
  .command('exec <node> <command...>')
  .description('run a command in the network of node-1, node-2... or outside')
  .passThroughOptions()
  .allowUnknownOption()
  .action((node: string, command: string[]) => runIn(namespaceOf(node), command));
program
  .command('kubectl [args...]')
  .description('kubectl as the administrator of the lab')
  .passThroughOptions()
  .allowUnknownOption()
  .helpOption(false)
  .action((args: string[]) => runIn(namespaceOf('node-1'), ['kubectl', ...args]));

await program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`lab: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
