// Every parser that faces a socket, a file, a program's output or what a person types; and what is none, with why.
// coverage.test.ts finds all that reads, and fails when something is named in neither.

import type { FuzzedParser } from './parser.ts'
import { AGENT_FILES } from './parsers/agent-files.ts'
import { AUTHORITY_FILES } from './parsers/authority-files.ts'
import { CLUSTER } from './parsers/cluster.ts'
import { GENESIS } from './parsers/genesis.ts'
import { MACHINE } from './parsers/machine.ts'
import { PAIRING } from './parsers/pairing.ts'
import { PEOPLE } from './parsers/people.ts'
import { WIRE } from './parsers/wire.ts'

export const PARSERS: readonly FuzzedParser[] = [
  ...WIRE,
  ...PAIRING,
  ...GENESIS,
  ...AGENT_FILES,
  ...AUTHORITY_FILES,
  ...MACHINE,
  ...PEOPLE,
  ...CLUSTER,
]

const OPENS = 'opens something; what it reads goes through a parser of the table'
const SIMULATION = 'only a simulation has it: both ends are one program of ours'
const OWN_ANSWER = 'an answer of our own authority, over a socket that only its user can make'
const API_SERVER =
  'schemas over JSON of the API server we are logged in to; what they throw ends a watch, which begins anew'
const OWN_VALUE = 'a value this program made a moment before'

/** `path` or `path#function` -> why no input of others reaches it raw. */
export const NO_PARSERS: Readonly<Record<string, string>> = {
  'agent/drivers/image/file-handles.ts#readUpTo': 'reads bytes, and makes nothing of them',
  'agent/drivers/image/file-source.ts#openImageFile': OPENS,
  'agent/drivers/image/https-source.ts#openHttps':
    'HTTP and TLS are those of Node; status, location and length alone are read',
  'agent/drivers/image/source.ts#openSource': OPENS,
  'agent/drivers/image/files.ts': 'a note of ours beside a disk; unreadable, the image is unknown, and that is refused',
  'agent/drivers/image/simulated.ts': SIMULATION,
  'agent/drivers/vm/simulated-machine.ts': SIMULATION,
  'agent/drivers/vm/simulated-machine.ts#openMachine': SIMULATION,
  'agent/drivers/vm/qmp/client.ts': 'its lines are cut and parsed by jsonLines, its schemas cannot throw (safeParse)',
  'agent/drivers/vm/qemu/machine.ts':
    'schemas of replies.ts, over lines of jsonLines; what they throw ends the question',
  'agent/main/config-file.ts#loadAgentConfig': OPENS,
  'agent/main/config-file.ts#readConfigFile': OPENS,
  'agent/main/departure.ts#openDeparture': OPENS,
  'agent/simulated/host-process.ts': SIMULATION,
  'agent/simulated/host.ts': SIMULATION,
  'agent/simulated/world.ts': SIMULATION,
  'agent/pairing/dial.ts#parsePairingAddress': 'parseHostPort with a port',
  'authority/admin/client.ts': OWN_ANSWER,
  'authority/main/file-records.ts#readFileRecord': 'bytes of a record of ours, and makes nothing of them',
  'authority/migrate/uids.ts': OWN_VALUE,
  'authority/term/reign.ts#openReign': OPENS,
  'authority/term/restore.ts#readRestore': 'a record of our own database',
  'base/log.ts': OWN_VALUE,
  'cli/output/plain.ts': OWN_VALUE,
  'cli/verbs/audit.ts': 'lines are read by collectedChain; --head is a hash, or is refused',
  'cli/verbs/describe.ts': OWN_VALUE,
  'cli/verbs/diff.ts': OWN_VALUE,
  'cli/folder/edit.ts': 'rewrites files that parse-file.ts has read without a fault',
  'cli/passphrase.ts#readPassphrase': 'takes what is typed as it is',
  'cli/prompt.ts#openPrompt': 'takes what is typed as it is',
  'cli/state.ts#readFleet': OPENS,
  'cli/verbs/documents.ts': 'documents of parse-file.ts, with the same schemas',
  'cli/verbs/documents.ts#readDocuments': OPENS,
  'cli/verbs/migrate-folder.ts': OWN_VALUE,
  'cli/verbs/migrate-secret.ts': API_SERVER,
  'cli/verbs/migrate-secret.ts#readKeysSecret': API_SERVER,
  'cli/version.ts': 'package.json beside the program',
  'controllers/mesh/effective.ts': 'the defaults of an empty spec',
  'controllers/pool/policy.ts': 'the defaults of an empty spec',
  'protocol/bundle/versions.ts': 'the schema behind openSignedBundle',
  'protocol/pairing/channel.ts#openChannel': 'curve arithmetic; the handshake of the table goes through it',
  'stores/common/records.ts': OWN_VALUE,
  'stores/files/locate.ts': 'a text that parse-file.ts has read without a fault',
  'stores/files/store.ts#openFilesStore': OPENS,
  'stores/kube/connect.ts': API_SERVER,
  'stores/kube/lease.ts': API_SERVER,
  'stores/kube/mesh-brake.ts': API_SERVER,
  'stores/kube/pairing-codes.ts': API_SERVER,
  'stores/kube/plain-credentials.ts':
    'the kubeconfig of whoever starts it; what is not read here is left to client-node',
  'stores/kube/projection.ts': API_SERVER,
  'stores/kube/records.ts': API_SERVER,
  'stores/kube/registry-lines.ts': API_SERVER,
  'stores/kube/reflector.ts': API_SERVER,
  'stores/kube/store.ts#openKubeStore': OPENS,
  'stores/kube/writes.ts': API_SERVER,
  'stores/sqlite/history.ts': 'rows of our own database, which SQLite reads',
  'stores/sqlite/open.ts#openDatabase': OPENS,
  'stores/sqlite/persistence.ts': 'rows of our own database, which SQLite reads',
  'stores/sqlite/read-state.ts#readState': 'rows of our own database, which SQLite reads',
}
