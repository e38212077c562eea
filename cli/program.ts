// The verbs and their flags. Every verb is loaded only when it runs: `ppn agent` must not load the authority's code,
// and `ppn get` should not wait for what it does not use.
import { Command, Option } from 'commander'
import type { ExitCode } from './exit.ts'
import type { Io } from './io.ts'
import { ppnVersion } from './version.ts'

const STATE = ['--state <dir>', 'state folder of the fleet (default: $PPN_STATE, or the one there is)'] as const
const NAMESPACE = ['-n, --namespace <name>', 'namespace of archives'] as const
const BEACON = ['--beacon <interface>', 'tell machines on this local network where to call; may be repeated'] as const
const AGENT_STATE = '/var/lib/ppn'

const output = (...choices: string[]) => new Option('-o, --output <format>', 'output format').choices(choices)
const collect = (value: string, before: string[] | undefined) => [...(before ?? []), value]

/** Builds the command line; `done` gets the exit code of the verb that ran. */
export function createProgram(io: Io, done: (code: ExitCode) => void): Command {
  const program = new Command('ppn')
    .description('Declarative control plane for sovereign private networks.')
    .version(ppnVersion(), '--version', 'print the version')
    .configureOutput({ writeOut: io.out, writeErr: io.err })
    .showHelpAfterError('(add --help for the flags)')
    .exitOverride()
    .addOption(
      new Option('--log-level <level>', 'least level that is logged').choices([
        'trace',
        'debug',
        'info',
        'warn',
        'error',
        'silent',
      ]),
    )
    .addOption(new Option('--log-format <format>', 'form of log lines').choices(['text', 'json']).default('text'))

  program
    .command('up')
    .description('run the authority for a folder of YAML, and converge what it declares')
    .argument('<dir>', 'the folder that declares the fleet')
    .option('--state <dir>', 'state folder (default: $PPN_STATE, or one by the name of DIR)')
    .option('--simulate', 'start a simulated agent for every declared node')
    .option('--once', 'end when everything is Ready: with 0, or at --timeout with another code and the reasons')
    .option('--timeout <duration>', 'with --once: give up after this long, e.g. 90s or 5m', '2m')
    .option('--metrics-port <port>', 'port on 127.0.0.1 for /metrics, /healthz and /readyz; 0 picks one', '9180')
    .option('--pairing-address <address>', 'where machines call to join (default: everywhere; nowhere with --simulate)')
    .option(...BEACON, collect)
    .option('--plain', 'plain lines even on a terminal')
    .action(async (dir, options) =>
      done(await (await import('./verbs/up.ts')).up(io, dir, { ...program.opts(), ...options })),
    )

  program
    .command('authority')
    .description('run the authority as its service does (docs/install.md), or as a pod does (docs/kubernetes.md)')
    .option('--fleet <dir>', 'the folder that declares the fleet', '/etc/ppn/fleet')
    .option('--state <dir>', 'its state folder (default: /var/lib/ppn-authority; on a cluster /run/ppn-authority)')
    .option('--metrics-port <port>', 'port for /metrics, /healthz and /readyz', '9180')
    .option('--metrics-address <address>', 'where that port is opened', '127.0.0.1')
    .option('--pairing-address <address>', 'where machines call to join', '::')
    .option(...BEACON, collect)
    .option('--cluster', 'the fleet is declared in a Kubernetes cluster; the options below are for it alone')
    .option(
      '--kubeconfig <file>',
      'how it is reached (default: as kubectl finds one, or the service account of the pod)',
    )
    .option('--context <name>', 'a context of the kubeconfig other than its current one')
    .option('--namespace <namespace>', 'of records, registry and Lease', 'ppn-system')
    .option('--node <name>', 'the authority node that this replica runs on (default: the first of the Mesh)')
    .option('--keys <dir>', 'the mounted Secret of ppn keys new', '/etc/ppn/keys')
    .option('--identity <name>', 'in the Lease; never of two processes at a time (default: one that nobody else has)')
    .option('--audit <file>', 'where lines of the audit are appended (default: standard output)')
    .option('--loopback', 'mesh addresses are those of 127.0.0.0/8 here: for agents simulated on this machine')
    .action(async (given) => {
      const options = { ...program.opts(), ...given }
      const code = given.cluster
        ? await (await import('./verbs/authority-cluster.ts')).authorityOnCluster(io, options)
        : await (await import('./verbs/authority.ts')).authority(io, options)
      done(code)
    })

  program
    .command('doctor')
    .description('what this machine lacks to be a node (or to run the authority), and the command that mends it')
    .argument('[role]', 'node or authority', 'node')
    .option('--config <file>', 'configuration of the agent')
    .option('--fleet <dir>', 'of an authority: the folder that declares the fleet (default: /etc/ppn/fleet)')
    .option('--state <dir>', 'of an authority: its state folder (default: /var/lib/ppn-authority)')
    .option('--json', 'for a machine to read')
    .action(async (role, options) => done(await (await import('./verbs/doctor.ts')).doctor(io, role, options)))

  const service = program.command('service').description('agent or authority as a service of systemd')
  const serviceVerbs = () => import('./verbs/service.ts')
  service
    .command('install')
    .description('write unit, user and folders with the paths of this installation, enable and start')
    .argument('<service>', 'agent or authority')
    .option('--root <dir>', 'into a folder that becomes a machine later: files only')
    .option('--no-start', 'enable it, and start nothing')
    .action(async (name, options) => done(await (await serviceVerbs()).serviceInstall(io, name, options)))
  service
    .command('remove')
    .description('stop it and take unit and user files away; state, tunnels and VMs stay')
    .argument('<service>', 'agent or authority')
    .action(async (name) => done(await (await serviceVerbs()).serviceRemove(io, name)))
  service
    .command('print')
    .description('the files that install writes')
    .argument('<service>', 'agent or authority')
    .action(async (name) => done(await (await serviceVerbs()).servicePrint(io, name)))

  program
    .command('get')
    .description('list objects: get nodes, get node/edge-2, get all')
    .argument('<what...>', 'KIND [NAME ...], KIND/NAME ..., or all')
    .option(...STATE)
    .option(...NAMESPACE)
    .option('-A, --all-namespaces', 'archives of every namespace (the default when no name is given)')
    .option('-l, --selector <labels>', 'only objects with these labels, e.g. site=cloud,tier!=test')
    .addOption(output('table', 'wide', 'json', 'yaml', 'name'))
    .option('-w, --watch', 'go on with changes as they come')
    .option('--no-headers', 'leave out the header line')
    .action(async (what, options) => done(await (await import('./verbs/get.ts')).get(io, what, options)))

  program
    .command('describe')
    .description('everything about an object, its conditions and events')
    .argument('<what...>', 'KIND [NAME], or KIND/NAME')
    .option(...STATE)
    .option(...NAMESPACE)
    .action(async (what, options) => done(await (await import('./verbs/describe.ts')).describe(io, what, options)))

  program
    .command('explain')
    .description('why an object is as it is: what is under way, and the last runs of its reconciler')
    .argument('<what...>', 'KIND/NAME, or KIND NAME')
    .option(...STATE)
    .option(...NAMESPACE)
    .addOption(output('text', 'json'))
    .action(async (what, options) => done(await (await import('./verbs/explain.ts')).explain(io, what, options)))

  program
    .command('diff')
    .description('what would change, be sent and be written if DIR were declared; 1 when there are differences')
    .argument('<dir>', 'a folder that declares a fleet')
    .option('--state <dir>', 'state folder (default: $PPN_STATE, or one by the name of DIR)')
    .action(async (dir, options) => done(await (await import('./verbs/diff.ts')).diff(io, dir, options)))

  program
    .command('apply')
    .description('hand over an act (Pairing), or with --write change the files of the fleet, comments kept')
    .option('-f, --filename <file>', 'a file, a folder, or - for standard input; may be repeated', collect)
    .option('--write', 'write into the folder that declares the fleet')
    .option('--fleet <dir>', 'that folder, when no authority runs to say it')
    .option(...STATE)
    .action(async (options) => done(await (await import('./verbs/apply.ts')).apply(io, options)))

  program
    .command('delete')
    .description('end an act (Pairing), or with --write take objects out of the files of the fleet')
    .argument('[what...]', 'KIND NAME ..., or KIND/NAME ...')
    .option('-f, --filename <file>', 'the objects in a file', collect)
    .option('--write', 'change the folder that declares the fleet')
    .option('--fleet <dir>', 'that folder, when no authority runs to say it')
    .option(...STATE)
    .option(...NAMESPACE)
    .action(async (what, options) => done(await (await import('./verbs/apply.ts')).remove(io, what, options)))

  program
    .command('validate')
    .description('everything that is wrong with a folder; needs no authority')
    .argument('<dir>', 'a folder that declares a fleet')
    .option('--strict', 'warnings count as errors')
    .addOption(output('text', 'json'))
    .action(async (dir, options) => done(await (await import('./verbs/validate.ts')).validate(io, dir, options)))

  program
    .command('events')
    .description('what happened, newest last')
    .argument('[what...]', 'KIND/NAME, or KIND NAME')
    .option(...STATE)
    .option(...NAMESPACE)
    .addOption(output('table', 'json'))
    .option('--no-headers', 'leave out the header line')
    .action(async (what, options) => done(await (await import('./verbs/events.ts')).events(io, what, options)))

  program
    .command('holds')
    .description('what waits for a person')
    .option(...STATE)
    .addOption(output('table', 'json'))
    .action(async (options) => done(await (await import('./verbs/holds.ts')).holds(io, options)))

  program
    .command('confirm')
    .description('let held deletions go on, or a reverted bundle be tried again')
    .argument('<what...>', 'KIND/NAME ..., or all')
    .option(...STATE)
    .option(...NAMESPACE)
    .action(async (what, options) => done(await (await import('./verbs/holds.ts')).confirm(io, what, options)))

  const keys = program
    .command('keys')
    .description('public keys and fingerprints of the authority')
    .option(...STATE)
    .addOption(output('text', 'json'))
    .action(async (options) => done(await (await import('./verbs/keys.ts')).keys(io, options)))
  keys
    .command('new')
    .description('keys of an authority on a cluster, printed as a Secret for kubectl create -f -')
    .requiredOption('--secret <name>', 'name of the Secret')
    .option('--namespace <namespace>', 'of the Secret', 'ppn-system')
    .option('--operator-out <file>', 'a new file for the operator key that is made with them, sealed')
    .option('--operator-public <key>', 'public half of an operator key that you have, base64')
    .option('--passphrase-file <file>', 'instead of $PPN_PASSPHRASE or the prompt')
    .action(async (options) => done(await (await import('./verbs/keys-new.ts')).keysNew(io, options)))
  keys
    .command('rotate')
    .description('give nodes other command and WireGuard keys, one node after the other, hubs last')
    .argument('[node...]')
    .option('--all', 'every node')
    .option('--status', 'only show how far it is')
    .option('--no-wait', 'do not follow it')
    .option(...STATE)
    .action(async (nodes, options) => done(await (await import('./verbs/keys.ts')).keysRotate(io, nodes, options)))

  program
    .command('join')
    .description(
      'let this machine join a fleet: shows a code for the operator, compares digits, takes its first bundle',
    )
    .argument('<address>', 'host name or address of the authority, with a port if it is not 9202')
    .option('--trust-code', 'nobody sits here to compare the digits; the registry will say so')
    .option('--state-dir <dir>', 'state folder of the agent', AGENT_STATE)
    .action(async (address, options) =>
      done(await (await import('./verbs/join.ts')).join(io, address, { ...program.opts(), ...options })),
    )
  program
    .command('pair')
    .description('let in the machine that shows a code (ppn join): asks for what it shows')
    .requiredOption('--node <name>', 'the declared Node that it becomes')
    .option('--replace', 'it takes the place of the machine that has this name now')
    .option(...STATE)
    .action(async (options) => done(await (await import('./verbs/pair.ts')).pair(io, options)))

  const registry = program.command('registry').description('who is enrolled; from the files, with no authority')
  const registryVerbs = () => import('./verbs/registry.ts')
  const AUTHORITY = ['--authority <key>', 'fingerprint of the signing key it has to be of, or the key'] as const
  registry
    .command('verify')
    .description('whether every line is what the authority signed, and none is missing in between')
    .argument('[file]', 'an exported registry (default: the one in the state folder)')
    .option('--against <file>', 'another copy: one is to be the beginning of the other')
    .option(...AUTHORITY)
    .option(...STATE)
    .addOption(output('text', 'json'))
    .action(async (file, options) => done(await (await registryVerbs()).registryVerify(io, file, options)))
  registry
    .command('list')
    .description('the machines that are enrolled, since when, and how')
    .argument('[file]', 'an exported registry (default: the one in the state folder)')
    .option('--all', 'also those that have left')
    .option(...AUTHORITY)
    .option(...STATE)
    .addOption(output('table', 'json'))
    .action(async (file, options) => done(await (await registryVerbs()).registryList(io, file, options)))
  registry
    .command('export')
    .description('write a copy that verify and list take anywhere')
    .argument('[file]', 'a new file (default: standard output)')
    .option(...STATE)
    .action(async (file, options) => done(await (await registryVerbs()).registryExport(io, file, options)))

  program
    .command('audit')
    .description('what was done; from the files, with no authority')
    .command('verify')
    .description('whether every line is what it was, and none is missing in between')
    .argument('[files...]', 'collected lines, - for standard input (default: the audit in the state folder)')
    .option('--head <head>', 'of collected lines: the head that is recorded on the cluster; it has to be there')
    .option(...STATE)
    .addOption(output('text', 'json'))
    .action(async (files, options) => done(await (await import('./verbs/audit.ts')).auditVerify(io, files, options)))

  program
    .command('claim')
    .description('call a machine that holds (ppn agent holding) and let it in: asks for the code that it shows')
    .argument('[address]', 'host name or address of the machine, with a port if it is not 9443')
    .option('--node <name>', 'the declared Node that it becomes')
    .option('--from <file>', 'many at once: address, node and code of each, as CSV, YAML or JSON; - for standard input')
    .option('--trust-code', 'compare no digits here; the registry will say so')
    .option('--operator-key <file>', 'for machines whose image demands the signature of the operator key')
    .option('--replace', 'it takes the place of the machine that has this name now')
    .option('--timeout <duration>', 'with --from: how long each machine is called, e.g. 90s or 5m', '5m')
    .option(...STATE)
    .action(async (address, options) => done(await (await import('./verbs/claim.ts')).claim(io, address, options)))

  const node = program.command('node').description('what concerns one node')
  node
    .command('bundle')
    .description('print the first bundle of a node provisioned by hand')
    .argument('<name>')
    .option(...STATE)
    .action(async (name, options) => done(await (await import('./verbs/node.ts')).nodeBundle(io, name, options)))
  node
    .command('sever')
    .description('throw a stolen machine out for good: its keys are refused from then on (audited)')
    .argument('<name>')
    .option(...STATE)
    .option('--through-brake', 'send although the brake is set')
    .action(async (name, options) => done(await (await import('./verbs/node.ts')).nodeSever(io, name, options)))
  node
    .command('leave')
    .description('take a node off the mesh in good order; its workloads go on')
    .argument('<name>')
    .option(...STATE)
    .action(async (name, options) => done(await (await import('./verbs/node.ts')).nodeLeave(io, name, options)))

  const operator = program.command('operator').description('the key that speaks over the head of any authority')
  operator
    .command('init')
    .description('seal the operator key into a file to be kept offline')
    .requiredOption('--out <file>', 'a new file')
    .option('--state <dir>', 'take it out of this state folder, or make it for its first start')
    .option('--passphrase-file <file>', 'instead of $PPN_PASSPHRASE or the prompt')
    .action(async (options) => done(await (await import('./verbs/operator.ts')).operatorInit(io, options)))
  operator
    .command('card')
    .description('write what a new authority has to know of this fleet when there is no backup')
    .requiredOption('--out <file>', 'a new file')
    .option(...STATE)
    .action(async (options) => done(await (await import('./verbs/operator.ts')).operatorCard(io, options)))
  operator
    .command('replace-authority')
    .description('other keys for an authority that is lost or stolen, and the document by which every node obeys them')
    .requiredOption('--operator <file>', 'the sealed operator key')
    .requiredOption('--state <dir>', 'the state of the authority, restored if need be; with --card an empty folder')
    .requiredOption('--out <file>', 'where the document goes, for ppn agent import')
    .option('--card <file>', 'the fleet card, when there is neither state nor backup')
    .option('--address <ip...>', 'mesh addresses that it will speak from; default: as the card says')
    .option('--term <n>', 'the last term known, if it is above that of the state')
    .option('--passphrase-file <file>', 'instead of $PPN_PASSPHRASE or the prompt')
    .action(async (options) => done(await (await import('./verbs/operator.ts')).operatorReplace(io, options)))
  operator
    .command('override')
    .description('let the disk of an archive start where it is declared, against its fencing epoch')
    .argument('<name>')
    .requiredOption('--operator <file>', 'the sealed operator key')
    .requiredOption('--out <file>', 'where the document goes, for ppn agent import')
    .option('-n, --namespace <namespace>', 'of the archive', 'default')
    .option(...STATE)
    .option('--passphrase-file <file>', 'instead of $PPN_PASSPHRASE or the prompt')
    .action(async (name, options) =>
      done(await (await import('./verbs/operator.ts')).operatorOverride(io, name, options)),
    )
  operator
    .command('rotate')
    .description('make the next operator key; the one so far signs it')
    .requiredOption('--operator <file>', 'the sealed operator key so far')
    .requiredOption('--state <dir>', 'state folder of the authority, which must not run')
    .requiredOption('--out <file>', 'a new file for the next key')
    .option('--passphrase-file <file>', 'instead of $PPN_PASSPHRASE or the prompt')
    .action(async (options) => done(await (await import('./verbs/operator.ts')).operatorRotate(io, options)))

  const agent = program
    .command('agent')
    .description('run the agent of this node, as its service does; or one of the verbs below')
    .option('--config <file>', 'its configuration (default: /etc/ppn/agent.yaml, which may be missing)')
    .option('--leave', 'leave the mesh while no agent runs: interface and firewall go, archives go on')
    .option('--forget', 'with --leave: forget the fleet and make new keys, so that ppn join works again')
    .option('--purge', 'leave, and remove everything of ppn but the disks of archives')
    .option('--stop', 'with --purge: end the virtual machines that run')
    .option('--yes', 'with --purge: ask nothing')
    .action(async (options) => {
      const verbs = await import('./verbs/agent.ts')
      const depart = options.leave || options.purge
      done(await (depart ? verbs.agentDepart(io, options) : verbs.agentRun(io, options)))
    })
  agent
    .command('init')
    .description('make the keys of this node and print its identity')
    .option('--state-dir <dir>', 'state folder of the agent', AGENT_STATE)
    .addOption(output('yaml', 'json'))
    .action(async (options) => done(await (await import('./verbs/agent.ts')).agentInit(io, options)))
  agent
    .command('holding')
    .description('how this machine is claimed: shows its code, and asks about the digits when an authority calls')
    .option('--once', 'show it, and end')
    .option('--state-dir <dir>', 'state folder of the agent', AGENT_STATE)
    .action(async (options) => done(await (await import('./verbs/holding.ts')).holding(io, options)))
  agent
    .command('import')
    .description('take a bundle (the first one, or the way back) or a document of the operator key from a file')
    .argument('<file>', 'the bundle, or - for standard input')
    .option('--authority <fingerprint>', 'fingerprint of the authority; demanded the first time')
    .option('--state-dir <dir>', 'state folder of the agent', AGENT_STATE)
    .action(async (file, options) => done(await (await import('./verbs/agent.ts')).agentImport(io, file, options)))

  program
    .command('console')
    .description('the serial console of a virtual machine of this node; Ctrl-] leaves')
    .argument('<archive>', 'NAME, NAMESPACE/NAME, or the id')
    .option('--log', 'print what it has said, and end')
    .option('-f, --follow', 'print what it has said, and go on')
    .option('--config <file>', 'configuration of the agent (default: /etc/ppn/agent.yaml, which may be missing)')
    .action(async (archive, options) =>
      done(await (await import('./verbs/console.ts')).showConsole(io, archive, options)),
    )

  program
    .command('backup')
    .description('write the whole state, encrypted, into one file')
    .argument('<file>')
    .option(...STATE)
    .option('--passphrase-file <file>', 'where the passphrase stands (default: asked for, or $PPN_PASSPHRASE)')
    .action(async (file, options) => done(await (await import('./verbs/backup.ts')).backup(io, file, options)))
  program
    .command('restore')
    .description('make a state folder from a backup; the next start goes carefully (docs/backup.md)')
    .argument('[file]')
    .option('--state <dir>', 'the state folder to make; must be empty or missing')
    .option('--passphrase-file <file>', 'where the passphrase stands (default: asked for, or $PPN_PASSPHRASE)')
    .option('--cluster', 'instead of a file: what is on the cluster came out of an older etcd')
    .option('--kubeconfig <file>', 'with --cluster: kubeconfig (default: as kubectl does)')
    .option('--context <name>', 'with --cluster: context of the kubeconfig')
    .option('-n, --namespace <name>', 'with --cluster: namespace of the authority', 'ppn-system')
    .action(async (file, options) => done(await (await import('./verbs/restore.ts')).restore(io, file, options)))

  program
    .command('migrate')
    .description('move the authority of a running fleet to a cluster, or back to a folder (docs/migrate.md)')
    .argument('<dir>', 'the folder that declares the fleet; on the way back one that is empty is written')
    .option('--to-cluster', 'from the folder to the cluster')
    .option('--to-folder', 'from the cluster to the folder')
    .option('--state <dir>', 'state folder (default: $PPN_STATE, or one by the name of DIR)')
    .option('--kubeconfig <file>', 'kubeconfig (default: as kubectl does)')
    .option('--context <name>', 'context of the kubeconfig')
    .option('-n, --namespace <name>', 'namespace of the authority', 'ppn-system')
    .option('--secret <name>', 'Secret of its keys', 'ppn-authority-keys')
    .option('--dry-run', 'say what would move, and whether the cluster would take it; change nothing')
    .option('--with-deletions', 'deletions under way go along; on a cluster none can be taken back')
    .option('--cancel', 'call off a move that was begun and has not arrived')
    .action(async (dir, options) =>
      done(await (await import('./verbs/migrate.ts')).migrate(io, dir, { ...program.opts(), ...options })),
    )

  program
    .command('brake')
    .description('stop everything that goes out: brake on|off|status')
    .argument('<action>', 'on, off or status')
    .option('--reason <text>', 'why; shown in status and audit')
    .option(...STATE)
    .action(async (action, options) => done(await (await import('./verbs/brake.ts')).brake(io, action, options)))

  program
    .command('version')
    .description('versions of ppn and of the running authority')
    .option('--client', 'only this program')
    .option(...STATE)
    .addOption(output('text', 'json'))
    .action(async (options) => done(await (await import('./verbs/version.ts')).version(io, options)))
  program
    .command('completion')
    .description('completion for a shell: bash, zsh or fish')
    .argument('<shell>')
    .action(async (shell) => done((await import('./verbs/completion.ts')).completion(io, program, shell)))
  return program
}
