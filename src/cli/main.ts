#!/usr/bin/env node
/**
 * The `wherry` command: one binary for every role. This file only names the commands; each lives in a file of its own
 * and is loaded when it is asked for, so that an agent never loads the master's code and `wherry version` loads nothing.
 */
import { Argument, Command } from 'commander';
import { agentFlags } from './agentflags.js';
import { addFlags, loadConfig } from './config.js';
import { masterFlags } from './masterflags.js';
import { paths } from './paths.js';
import { version } from './version.js';

/** Prints what went wrong without a stack and exits 1; a `cause` chain is printed in full with WHERRY_DEBUG set. */
function report(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  const isRoot = process.getuid?.() === 0;
  const message = !isRoot && /^(EACCES|EPERM)\b/.test(text) ? `${text}; run it as root` : text;
  process.stderr.write(`wherry: ${message}\n`);
  if (process.env['WHERRY_DEBUG'] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
}

const program = new Command('wherry')
  .description('A small Kubernetes you can read.')
  .version(version, '-V, --version')
  .showHelpAfterError('(run the command with --help for its flags)');

program
  .command('version')
  .description('print the version of Wherry and of the Kubernetes API it serves')
  .action(async () => (await import('./version.js')).printVersion());

addFlags(
  program.command('master').description('run the control plane: API server, store, controllers, scheduler'),
  masterFlags,
).action(async (flags) => (await import('./roles.js')).runMaster(loadConfig(flags, masterFlags)));

const agent = addFlags(
  program.command('agent').description('run the node agent; with --server and --token it joins first'),
  agentFlags,
);
agent.action(async (flags) => (await import('./roles.js')).runAgent(loadConfig(flags, agentFlags)));

addFlags(
  program
    .command('cleanup')
    .description('remove everything an agent left on this host; it must not be running'),
  agentFlags,
)
  .optionsGroup('Options:')
  .option('--purge', 'remove its data and credentials too')
  .action(async (flags) => {
    if (process.getuid?.() !== 0) throw new Error('needs root: it cleans the network of this host');
    const { cleanUpAgent } = await import('./roles.js');
    const { tellLeft } = await import('./up/purge.js');
    tellLeft(await cleanUpAgent(loadConfig(flags, agentFlags), flags.purge === true));
  });

const token = program.command('token').description('tokens with which further hosts join');
token
  .command('create')
  .description('print the command that joins a further host')
  .option('--kubeconfig <file>', 'administrator kubeconfig', paths.adminKubeconfig)
  .option(
    '--server <url>',
    'address of the master as the new host sees it; default: the one the master advertises',
  )
  .option('--ttl <duration>', 'how long the token works: 30m, 24h', '24h')
  .option('--token-only', 'print the token alone')
  .action(async (flags) => (await import('./token.js')).createToken(flags));

const store = program.command('store').description('look after the file store while the master is stopped');
store
  .command('check')
  .description('read the whole store and report what is wrong with it')
  .option('--data-dir <dir>', 'data directory of the master', paths.dataDir)
  .option(
    '--repair',
    'remove what is damaged, so that the master starts with the rest; copy the directory first',
  )
  .action(async (flags) => (await import('./store.js')).checkStoreCommand(flags));

const secrets = program.command('secrets').description('the keys that Secrets are encrypted with on disk');
const onKeys = (name: string, description: string): Command =>
  secrets
    .command(name)
    .description(description)
    .option('--data-dir <dir>', 'data directory of the master', paths.dataDir)
    .option('--encryption-provider-config <file>', "where the keys are, if not the master's own file")
    .option(
      '--kubeconfig <file>',
      'administrator kubeconfig, to ask a running master',
      paths.adminKubeconfig,
    );
onKeys('rotate', 'make a new key; values are encrypted with it from now on').action(async (flags) =>
  (await import('./secrets.js')).rotateKeys(flags),
);
onKeys('reencrypt', 'see to it that everything on disk is encrypted with the newest key')
  .option('--drop-old-keys', 'then remove the other keys')
  .action(async (flags) => (await import('./secrets.js')).reencrypt(flags));
onKeys('forget', 'remove values whose key is lost, while the master is stopped').action(async (flags) =>
  (await import('./secrets.js')).forgetUnreadable(flags),
);

const certs = program
  .command('certs')
  .description('which certificates are on this host and when they expire')
  .option('--data-dir <dir>', 'data directory of master and agent', paths.dataDir)
  .action(async (flags) => (await import('./certs.js')).listCerts(flags));
const onCerts = (name: string, description: string): Command =>
  certs
    .command(name)
    .description(description)
    .option('--kubeconfig <file>', 'administrator kubeconfig', paths.adminKubeconfig);
onCerts('renew', "issue the master's certificates anew, now")
  .argument('[name...]', 'server, kubelet-client, front-proxy-client, admin; all by default')
  .action(async (names, flags) => (await import('./certs.js')).renewCerts(names, flags));
onCerts('rotate-ca', 'replace the authority of the cluster while everything runs')
  .option('--keep-old', 'go on trusting the old one until the command is given again')
  .option('--force', 'do not wait for nodes that are away; they have to join anew')
  .action(async (flags) => (await import('./certs.js')).rotateAuthority(flags));
onCerts(
  'rotate-service-account-key',
  'sign tokens of service accounts with a new key; the former one goes on verifying',
).action(async (flags) => (await import('./certs.js')).rotateServiceAccountKey(flags));

program
  .command('up')
  .description(
    'install and start master and agent on this host, deploy the nginx example (what `npm run up` runs)',
  )
  .option('--node-ip <address>', 'address of this node; default: the one of the default route')
  .option('--no-example', 'do not deploy the example')
  .action(async (flags) => (await import('./up/up.js')).up(flags));

program
  .command('down')
  .description(
    'stop master and agent and remove everything they left on this host (what `npm run down` runs)',
  )
  .option('--purge', 'remove data, credentials and images too')
  .action(async (flags) => (await import('./up/down.js')).down({ purge: flags.purge === true }));

program
  .command('supervise', { hidden: true })
  .description('keep a role running where no systemd does')
  .addArgument(new Argument('<role>').choices(['master', 'agent']))
  .action(async (role) => (await import('./up/supervise.js')).supervise(role));

await program.parseAsync().catch(report);
