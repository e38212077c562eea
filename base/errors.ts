// Every error ppn raises for a person, in one table. A code is stable: scripts match it. The text says what
// was wrong, and `hint` what to do; `at` says where.

export interface ErrorSpec {
  /** `{name}` is replaced from the details. */
  message: string
  hint: string
}

/** Add rows here, grouped by room; never change the meaning of a code. */
export const ERRORS = {
  // base
  FileLocked: {
    message: '{path} is held by another process',
    hint: 'stop the other process, or choose another folder',
  },
  FrameTooLong: {
    message: 'a frame of {length} bytes is over the limit of {limit}',
    hint: 'the sender is not a ppn peer, or of a newer version',
  },
  BadFileName: {
    message: '"{name}" cannot name a file of this folder',
    hint: 'use one path segment, without / and not beginning with a dot',
  },
  ChainBroken: {
    message: '{name}, line {line}: {why}',
    hint: 'the file was changed after it was written; restore it from a backup',
  },
  LoopbackNeedsLinux: {
    message: 'simulated nodes need the whole of 127.0.0.0/8, which only Linux gives',
    hint: 'run the simulation on Linux, in a container or in a virtual machine',
  },
  LockNeedsLinux: {
    message: 'locks without a file need abstract Unix sockets, which only Linux has',
    hint: 'run the authority on Linux, in a container or in a virtual machine',
  },
  AddressOutsideMesh: {
    message: '{address} does not begin with {firstOctet} and has no place on the loopback',
    hint: 'give the mesh a cidr under one first octet',
  },
  ConnectTimedOut: {
    message: 'no answer from {to} port {port} within {ms} ms',
    hint: 'the peer is down or the path is cut; it is tried again',
  },
  ProgramMissing: {
    message: 'the program {command} is not on this machine',
    hint: 'install it; `ppn doctor` names the package',
  },
  ProgramTimedOut: { message: '{command} did not end within {ms} ms', hint: 'it was killed; see what keeps it' },
  ProgramKilled: { message: '{command} was ended by {signal}', hint: 'see the system log for who ended it' },
  ProgramFailed: { message: '{command} failed with exit code {exitCode}: {said}', hint: 'mend what it says' },
  SettingsInvalid: { message: '{what}', hint: 'docs/install.md lists every setting' },
  // protocol
  BadLength: { message: '{what} has {length} bytes, not {expected}', hint: 'discarded' },
  NotCanonical: {
    message: 'not canonical JSON (RFC 8785): {why}',
    hint: 'the bytes were not written by ppn, or were changed',
  },
  BadKey: { message: '{what} is not a key: {why}', hint: 'give the 32 bytes of the key in base64' },
  BadArmor: {
    message: 'no bundle in this text: {why}',
    hint: 'give everything from the BEGIN to the END line, unchanged',
  },
  BadPairingAddress: {
    message: '"{address}" is no address to join at',
    hint: 'host, host:port, or [address]:port with IPv6',
  },
  PairingRefused: {
    message: 'this machine was not let in: {why} [{reason}]',
    hint: 'mend the cause, then run `ppn join` again: it shows a new code',
  },
  PairingDigitsDiffer: {
    message: 'the digits differ: this machine and the authority do not speak to each other directly',
    hint: 'nothing was believed or kept; find out who is in between before you try again',
  },
  BadPairingCode: {
    message: 'this is no {what}: it has {count} letters and digits',
    hint: 'type it as the joining node shows it; case, spaces and dashes do not matter',
  },
  BadCommand: { message: 'a command that no agent would obey: {reason}', hint: 'nothing was sent' },
  SequenceExhausted: {
    message: 'the mesh has used up its 2^32 sequence ticks',
    hint: 'begin a new mesh; sequences last 8.5 years',
  },
  BundleInvalid: {
    message: 'a bundle that no agent would accept: {why}',
    hint: 'nothing was published; the node keeps what it has',
  },
  BundleTooLong: {
    message: 'a bundle of {length} bytes is over the limit of {limit}',
    hint: 'nothing was published; spread the archives over more nodes',
  },
  BundleVersionUnknown: {
    message: 'bundle version {version} is not one this program writes',
    hint: 'upgrade the authority first, then the agents',
  },
  FrameInvalid: { message: 'a frame that no peer would accept: {why}', hint: 'nothing was sent' },
  // authority: the admin socket
  ObjectNotFound: { message: '{key} not found', hint: 'see `ppn get all`' },
  RegistryMissing: {
    message: 'there is no registry: {file}',
    hint: 'name the state folder of the authority with --state, or a file that `ppn registry export` wrote',
  },
  RegistryKeyNeeded: {
    message: '{file} does not say whose registry it is',
    hint: 'give the signing key: --authority KEY, as `ppn keys -o json` prints it',
  },
  RegistryKeyDiffers: {
    message: '{file} is the registry of {found}, not of {expected}',
    hint: 'get the fingerprint from the authority itself (`ppn keys`), not from whoever gave you the file',
  },
  EnrolmentRefused: {
    message: 'node {node} cannot be enrolled: {why} [{reason}]',
    hint: 'see `ppn describe node {node}`',
  },
  NotServing: { message: 'the authority is not serving yet: {why}', hint: 'see `ppn get nodes` and the log' },
  // authority: keys, backup
  PublicationHeld: {
    message: 'the bundle of {node} is not given out: {reason}',
    hint: 'release the brake with `ppn brake off`, then try again',
  },
  AuthorityUnreached: {
    message: 'the bundle of {node} is not given out, for with it the node would never hear of this authority: {why}',
    hint: 'set up the node that the authority stands beside, and the hub between, then ask again',
  },
  KeysMissing: {
    message: 'the state folder holds facts but no keys/authority',
    hint: 'restore a backup with `ppn restore`; new keys would not be obeyed by any node',
  },
  KeysNotMounted: {
    message: 'there is no key file in {folder}',
    hint: 'make one once: `ppn keys new --secret ppn-authority-keys --operator-out FILE | kubectl create -f -`, and mount it there',
  },
  KeysOfAnother: {
    message: 'these keys ({given}) are not those that the facts on this cluster belong to ({known})',
    hint: 'mount the Secret that was there before; other keys take over only by `ppn operator replace-authority`',
  },
  KeysReadOnly: {
    message: '{name} lies with the keys in a mounted Secret, which the authority does not change',
    hint: 'make the Secret anew with what `ppn keys` or `ppn operator` prints, then restart',
  },
  NotLeading: {
    message: 'this replica does not lead',
    hint: 'ask the leader: `kubectl -n ppn-system get lease ppn-authority` names it',
  },
  StandingBy: {
    message: 'this replica stands by; {holder} leads',
    hint: 'ask the leader, e.g. with kubectl exec into that pod',
  },
  LeadershipLost: {
    message: 'this replica leads no more: {why}',
    hint: 'it is to be started again, and then stands by',
  },
  NotOnCluster: {
    message: '{what} is not for an authority on a cluster',
    hint: 'docs/kubernetes.md says what takes its place',
  },
  KeysUnreadable: {
    message: 'keys/{file}: {why}',
    hint: 'restore a backup with `ppn restore`; nothing was replaced',
  },
  OperatorKeyUnreadable: {
    message: 'the file holds no operator key',
    hint: 'give the file that `ppn operator init` wrote; a backup of the authority is another one',
  },
  OperatorKeyDiffers: {
    message: 'the operator key {given} is not the one this fleet has pinned, {pinned}',
    hint: 'find the file that was made for this fleet; no other key can speak for it',
  },
  FleetCardUnreadable: {
    message: 'the file is no fleet card',
    hint: 'give the file that `ppn operator card` wrote',
  },
  StateNotEmpty: {
    message: 'the state folder already holds {name}',
    hint: 'restore into an empty folder',
  },
  BackupUnreadable: {
    message: 'the backup cannot be read: {why}',
    hint: 'check the passphrase and that the file is whole; nothing was restored',
  },
  RestoreIncomplete: {
    message: 'an earlier restore into this state folder did not finish',
    hint: 'empty the folder and restore again',
  },
  AuthorityMoved: {
    message: 'this authority has moved to {peer}; nothing starts here',
    hint: 'run it there; the way back is `ppn migrate` in the other direction (docs/migrate.md)',
  },
  MoveUnfinished: {
    message: 'a move between here and {peer} was begun and is not finished: no authority may start',
    hint: 'run the same `ppn migrate` again, or call it off with --cancel (docs/migrate.md)',
  },
  MoveElsewhere: {
    message: 'a move to {peer} was begun; {place} is another place',
    hint: 'finish that move, or call it off with `ppn migrate --cancel`',
  },
  PlaceTaken: {
    message: '{place} holds an authority already: {what}',
    hint: 'one place, one authority: choose an empty state folder, or a namespace of its own',
  },
  MigrateRefused: {
    message: 'not moved: {what}',
    hint: 'mend it, then run `ppn migrate` again; nothing is lost by trying',
  },
  NoMoveToCancel: {
    message: 'no unfinished move leaves {place}',
    hint: 'a finished one is undone by `ppn migrate` in the other direction',
  },
  LeaseHeld: {
    message: 'an authority leads there: the Lease {lease} is held by {holder}',
    hint: 'stop it first: `kubectl -n NAMESPACE scale deployment/ppn-authority --replicas=0`',
  },
  LeaseLost: {
    message: 'the Lease was lost in the middle of a move',
    hint: 'run the same `ppn migrate` again: it goes on where it was',
  },
  MarkUnreadable: {
    message: '{name}, which says where this authority is at home, cannot be read',
    hint: 'find out who changed it; while it is there and unreadable, nothing starts here',
  },
  NothingWanted: {
    message: 'no bundle is wanted for {node}',
    hint: 'declare the node and enrol it first; `ppn explain node/{node}` says what is missing',
  },
  // authority: commands
  CommandHeld: {
    message: 'nothing may be sent to {node} now: {reason}',
    hint: 'lift the brake, or use --through-brake to sever; otherwise `ppn explain node/{node}` says more',
  },
  SeverRefused: {
    message: '{node} is the hub or carries the authority, and cannot be severed',
    hint: 'declare another hub, or another authority node, first',
  },
  SeverSuperseded: {
    message: 'this authority is superseded: {node} obeys a newer one, and would not take SEVER from here',
    hint: 'sever it at the newer authority; if this is the one to go on, stop it, restore its newest backup with `ppn restore`, and sever then',
  },
  // agent
  AgentKeyUnreadable: {
    message: 'the key file {name} has {length} bytes, not 32',
    hint: 'restore it from a backup, or remove the agent state and enrol the node anew',
  },
  PinsUnreadable: {
    message: 'the file that says whom this node obeys cannot be read',
    hint: 'restore it, or remove the agent state and enrol the node anew',
  },
  NodeNotEnrolled: {
    message: 'this machine is in no fleet: it has pinned no operator key',
    hint: 'let it join first: ppn join, or ppn agent import with a bundle',
  },
  DocumentRefused: {
    message: 'the document of the operator key is refused: {reason}',
    hint: 'docs/keys.md lists the reasons; a later document of the same operator key ends an earlier one',
  },
  AuthorityFingerprintNeeded: {
    message: 'the first bundle of a node needs the fingerprint of the authority that signed it',
    hint: 'compare it with the one `ppn node bundle` printed and pass --authority',
  },
  AuthorityFingerprintDiffers: {
    message: 'the bundle is not signed by the authority {expected}',
    hint: 'check the fingerprint with the person who made the bundle',
  },
  BundleRefused: { message: 'the bundle is refused: {reason}', hint: 'ask the authority for a newer one' },
  AgentRuns: {
    message: 'an agent is using {path}',
    hint: 'stop it first: systemctl stop ppn-agent. Tunnels and VMs go on meanwhile',
  },
  MachinesRun: {
    message: 'virtual machines run on this node: {archives}',
    hint: 'delete or move their archives at the authority, or end them here with --stop',
  },
  ConfigMissing: { message: 'there is no {file}', hint: 'name the file that is there, or leave --config out' },
  // agent: WireGuard
  TunnelInvalid: {
    message: 'a WireGuard interface cannot be made like this: {what} is {value}',
    hint: 'mend the Mesh or Node that declares it',
  },
  InterfaceTaken: {
    message: 'the interface {name} exists and is not WireGuard',
    hint: 'remove it, or give the mesh another interface name',
  },
  TunnelDaemonFailed: {
    message: 'wireguard-go did not bring up {name}: {said}',
    hint: 'it needs /dev/net/tun and CAP_NET_ADMIN; see its log in the run folder',
  },
  // agent: simulation
  SimulatedHostGone: {
    message: 'the process of the simulated node {node} has ended',
    hint: 'restart the node; the log in the simulation folder says why it ended',
  },
  SimulatedNodeUnknown: { message: 'there is no simulated node {node}', hint: 'add it to the simulation first' },
  // stores
  NotAnObject: { message: '{what}', hint: 'begin the document with apiVersion: ppn.dev/v1alpha1 and a kind' },
  UnknownVersion: { message: '{what}', hint: 'write apiVersion: ppn.dev/v1alpha1' },
  UnknownKind: { message: '{what}', hint: 'the kinds are Mesh, Node, Pairing, ResourcePool and Archive' },
  UnknownField: { message: '{what}', hint: 'remove the field or correct its spelling' },
  MissingField: { message: '{what}', hint: 'add the field' },
  InvalidValue: { message: '{what}', hint: 'correct the value' },
  IgnoredField: { message: '{what}', hint: 'remove the field; nothing reads it' },
  ListWithoutItems: {
    message: 'a List whose items are no list',
    hint: 'give every object under items, or as a document of its own',
  },
  ForeignObject: {
    message: '{kind} of {apiVersion} is no object of ppn and is ignored',
    hint: 'keep it elsewhere, or leave it: it does no harm',
  },
  ActInFolder: {
    message: '{key} is a one-off act and carries a live code',
    hint: 'do not keep pairings in files, least of all in git',
  },
  YamlSyntax: { message: 'not YAML: {what}', hint: 'the objects of this file stay at their last good state' },
  YamlTooDeep: { message: 'the document is nested too deeply', hint: 'no object needs this; see what wrote the file' },
  YamlAliases: { message: 'the aliases of this document expand to too much', hint: 'write the values out' },
  NotUtf8: { message: 'the file is not UTF-8', hint: 'save it as UTF-8' },
  FileTooLong: { message: 'the file is over the limit of {limit} bytes', hint: 'split it into several files' },
  NotAFile: { message: 'neither a file nor a folder; ignored', hint: 'remove it from the folder' },
  DuplicateObject: {
    message: '{key} is defined more than once: {places}',
    hint: 'keep one definition; until then its last good state stays',
  },
  HeldByBadFile: {
    message: '{key} may still be defined in {file}, which cannot be read in full',
    hint: 'mend that file first; until then the last good state stays',
  },
  RemovalHeld: {
    message: '{key} is gone from its file, but is kept while {file} cannot be read in full',
    hint: 'mend that file: the object might have moved there',
  },
  ImmutableField: {
    message: 'spec.{field} of {key} cannot change',
    hint: 'put the old value back, or delete the object and declare another',
  },
  FolderUnreadable: {
    message: 'the folder {path} cannot be read: {why}',
    hint: 'everything is held as it is until the folder can be read again',
  },
  FolderUnsettled: {
    message: 'the folder {path} is not at rest: {why}',
    hint: 'everything is held; if no git command is running, remove the lock',
  },
  StateInGit: {
    message: 'the state folder {path} lies in the git work tree {tree}',
    hint: 'it holds private keys: choose a folder outside with --state',
  },
  StateOnNetwork: {
    message: 'the state folder {path} lies on a network file system ({type})',
    hint: 'choose a folder on a local disk with --state',
  },
  StateTooNew: {
    message: '{path} was written by a newer version of ppn (schema {found}, this one knows {known})',
    hint: 'use the newer version, or restore an older backup',
  },
  Conflict: { message: 'record {key} was written in between', hint: 'read it again and decide anew' },
  InvalidObject: { message: '{key} is not valid: {what}', hint: 'correct it and try again' },
  AlreadyExists: { message: '{key} exists already', hint: 'choose another name, or delete it first' },
  DeclaredInFolder: { message: '{key} is declared in {file}', hint: 'delete it there' },
  // stores: a cluster
  KubeConfigUnusable: {
    message: 'the kubeconfig cannot be used: {why}',
    hint: 'try `kubectl get --raw /readyz` with the same KUBECONFIG',
  },
  NoKubeConfig: {
    message: 'no API server is named: there is neither $KUBECONFIG nor ~/.kube/config, and this is no pod with a token',
    hint: 'name one with --kubeconfig; in a pod the token is there unless automountServiceAccountToken is false',
  },
  NoMeshToBrake: {
    message: 'there is no Mesh object that could carry the brake',
    hint: 'apply a Mesh named default, or stop the authority: `kubectl scale deployment/ppn-authority --replicas=0`',
  },
  KubeUnreadable: {
    message: 'the API server does not show {what}: {why}',
    hint: 'for 403 and 404, compare roles and CRDs in force with manifests/base',
  },
  KubeTimedOut: { message: '{server} did not answer within {ms} ms', hint: 'it is tried again' },
  KubeAnswerTooLong: { message: 'an answer of the API server is over the limit of {limit} bytes', hint: 'see its log' },
  KubeRefused: {
    message: 'the API server refused to write {what}: {why}',
    hint: 'for 403, compare the roles in force with manifests/base',
  },
} as const satisfies Record<string, ErrorSpec>

export type ErrorCode = keyof typeof ERRORS

/** Where in a file a fault is: 1-based line and column. */
export interface SourceLocation {
  file: string
  line: number
  column: number
}

export class PpnError extends Error {
  override readonly name = 'PpnError'
  readonly code: ErrorCode
  readonly hint: string
  readonly details: Readonly<Record<string, unknown>>
  readonly at: SourceLocation | undefined

  constructor(
    code: ErrorCode,
    details: Record<string, unknown> = {},
    options: { at?: SourceLocation; cause?: unknown } = {},
  ) {
    const spec: ErrorSpec = ERRORS[code]
    super(
      spec.message.replace(/\{(\w+)\}/g, (_, key: string) => String(details[key] ?? '?')),
      { cause: options.cause },
    )
    this.code = code
    this.hint = spec.hint
    this.details = details
    this.at = options.at
  }
}
