// What an agent finds in its state folder at a start, and what its drivers keep there.
import { createHash } from 'node:crypto'
import { importBundle } from '../../../../agent/bundles/import.ts'
import { loadBundles } from '../../../../agent/bundles/store.ts'
import { vmRecordsIn } from '../../../../agent/drivers/vm/qemu/record.ts'
import { openMemory } from '../../../../agent/drivers/wireguard/linux/memory.ts'
import { openNodeState } from '../../../../agent/durable/node-state.ts'
import { openFence } from '../../../../agent/fence/fence.ts'
import { sidecarsIn } from '../../../../agent/fence/sidecar.ts'
import { loadAgentKeys } from '../../../../agent/keys/agent-keys.ts'
import { loadPins } from '../../../../agent/keys/pins.ts'
import { parseAgentConfig } from '../../../../agent/main/config.ts'
import { openMarks } from '../../../../agent/marks/journal.ts'
import type { Files } from '../../../../base/files.ts'
import * as given from '../../../../hack/vector-inputs.ts'
import { armorBundle } from '../../../../protocol/bundle/armor.ts'
import { fingerprint, toBase64 } from '../../../../protocol/keys.ts'
import { memoryFiles } from '../../../../testing/memory-files.ts'
import { accepted, bytesOf, declared, type FuzzedParser, jsonOf, refused, utf8, type Verdict } from '../parser.ts'
import { sealedBundle } from './wire.ts'

const holding = (name: string, bytes: Uint8Array): Files => memoryFiles(new Map([[name, bytes]]))
/** The checksum in front, as `sealJson` puts it, over whatever the text is. */
const checksummed = (inner: Uint8Array): Uint8Array => {
  const text = utf8(inner)
  return bytesOf(`${createHash('sha256').update(text).digest('hex')}\n${text}`)
}
const id = given.archiveId
const digest = '55'.repeat(32)

/** A record that is written again as it was read: what came in must be what would be written. */
export function sealed(
  name: string,
  covers: readonly string[],
  valid: readonly unknown[],
  read: (files: Files) => Promise<boolean>,
  file: string,
): FuzzedParser {
  return {
    name,
    faces: 'file',
    covers: [...covers, 'agent/durable/sealed-json.ts#openJson'],
    shape: 'json',
    valid: valid.map(jsonOf),
    wrap: checksummed,
    async read(input) {
      return (await read(holding(file, input))) ? accepted() : refused('unreadable')
    },
  }
}

const marks = sealed(
  'marks',
  ['agent/marks/journal.ts#openMarks'],
  [{ floors: [[0, 1, 2]], marks: [[4, 1, 3, 99, 1, 1]] }],
  async (files) => !(await openMarks(files)).lost(),
  'marks',
)
const fence = sealed(
  'fence',
  ['agent/fence/fence.ts#openFence'],
  [{ [id]: 4 }, {}],
  async (files) => !(await openFence(files)).lost,
  'fence',
)
const pins = sealed(
  'pins',
  ['agent/keys/pins.ts#loadPins'],
  [
    {
      ...{ meshId: given.meshId, nodeId: given.nodeId, enrolmentId: given.enrolmentId },
      operatorKey: toBase64(given.operator.publicKey),
      trusted: [{ authorityId: given.authorityId, signingPublicKey: toBase64(given.authoritySigning.publicKey) }],
    },
  ],
  (files) => loadPins(files).then(Boolean, only('PinsUnreadable')),
  'pins',
)
const nodeState = sealed(
  'node-state',
  ['agent/durable/node-state.ts#openNodeState'],
  [
    {
      ...{ term: 3, told: { term: 3, revision: 4 }, isolated: false, severed: false, refused: [digest] },
      ...{ fromPrev: false, trial: { base: digest, windows: 1 }, registryHead: { count: 1, hash: digest } },
    },
  ],
  async (files) => !(await openNodeState(files)).lost,
  'state',
)
const sidecar = sealed(
  'sidecar',
  ['agent/fence/sidecar.ts#sidecarsIn'],
  [
    {
      ...{ id, name: 'cluster-totebox-a-1', namespace: 'default', fencingEpoch: 1, imageSha256: digest },
      ...{ format: 'raw', state: 'receiving', receiving: { root: digest, held: 1, chunks: 2 } },
    },
  ],
  async (files) => (await sidecarsIn(files).read(id)) !== 'unreadable',
  `archives/${id}/sidecar`,
)
const vmRecord = sealed(
  'vm-record',
  ['agent/drivers/vm/qemu/record.ts#vmRecordsIn'],
  [
    {
      spec: { id, slot: 1, disk: '/d', format: 'raw', vcpus: 1, floorMiB: 256, maxMiB: 512 },
      ...{ hostBootId: 'b', state: 'started', process: { pid: 7, startTicks: 9 }, startedMs: 1 },
    },
  ],
  async (files) => (await vmRecordsIn(files).readable()).length === 1,
  `vms/${id}`,
)

/** For `catch`: this error is declared, and means that nothing was read. */
function only(code: string) {
  return (error: { code?: string }): false => {
    if (error.code !== code) throw error
    return false
  }
}

const trusted = [{ authorityId: given.authorityId, signingPublicKey: toBase64(given.authoritySigning.publicKey) }]
const bundleFile: FuzzedParser = {
  name: 'bundle-file',
  faces: 'file',
  covers: ['agent/bundles/store.ts#loadBundles', 'agent/bundles/store.ts#openBundle'],
  shape: 'bytes',
  valid: [sealedBundle],
  async read(input) {
    const files = memoryFiles(new Map([['applied', input]]))
    const { applied, lost } = await loadBundles(files, trusted)
    if (!applied && !lost) throw new Error('a file that cannot be read is not reported as lost')
    return applied ? accepted(applied.raw) : refused('lost')
  },
}

const imported: FuzzedParser = {
  name: 'import',
  faces: 'file',
  covers: ['agent/bundles/import.ts#importBundle'],
  shape: 'bytes',
  valid: [sealedBundle],
  wrap: (raw) => bytesOf(armorBundle(raw.length > 0 ? raw : Uint8Array.of(0))),
  read: (input) =>
    declared(['BadArmor', 'BundleRefused', 'AuthorityFingerprintDiffers'], async (): Promise<Verdict> => {
      const authorityFingerprint = fingerprint(given.authoritySigning.publicKey)
      await importBundle(memoryFiles(), utf8(input), { authorityFingerprint })
      return accepted()
    }),
}

const agentKeys: FuzzedParser = {
  name: 'agent-keys',
  faces: 'file',
  covers: ['agent/keys/agent-keys.ts#loadAgentKeys'],
  shape: 'bytes',
  valid: [given.nodeCommand.secretKey],
  read: (input) =>
    declared(['AgentKeyUnreadable'], async () => {
      const files = memoryFiles(new Map(['wireguard', 'command', 'signing'].map((name) => [`keys/${name}`, input])))
      const keys = await loadAgentKeys(files)
      return keys ? accepted(keys.command.secretKey) : refused('none')
    }),
}

const endpoints: FuzzedParser = {
  name: 'endpoints-memory',
  faces: 'file',
  covers: ['agent/drivers/wireguard/linux/memory.ts#openMemory'],
  shape: 'json',
  valid: [
    jsonOf({
      peers: { [toBase64(given.hubWireguard.publicKey)]: { declared: 'a:1', endpoint: '192.0.2.1:1' } },
      forwards: true,
    }),
  ],
  async read(input) {
    const memory = await openMemory(holding('ppn0.json', input), 'ppn0')
    memory.peers(new Map())
    return memory.forwards() ? accepted() : refused('nothing kept')
  },
}

const config: FuzzedParser = {
  name: 'agent-config',
  faces: 'file',
  covers: ['agent/main/config.ts#parseAgentConfig', 'base/yaml-settings.ts#parseSettings'],
  shape: 'text',
  valid: [
    bytesOf(''),
    bytesOf(
      'state: /var/lib/ppn\nimages:\n  folders: [/srv/a, /srv/b]\n  hosts:\n    - images.example:443\nlog:\n  level: debug\n',
    ),
    bytesOf(
      'drivers: {wireguard: simulated, vm: simulated, cgroup: simulated, image: simulated}\nsimulation:\n  address: 10.8.0.2\n',
    ),
    bytesOf('images: &a\n  hosts: &b [a.example, b.example]\n'),
  ],
  read: (input) =>
    declared(['SettingsInvalid'], () => {
      parseAgentConfig('agent.yaml', utf8(input))
      return accepted()
    }),
}

export const AGENT_FILES: readonly FuzzedParser[] = [
  marks,
  fence,
  pins,
  nodeState,
  sidecar,
  vmRecord,
  bundleFile,
  imported,
  agentKeys,
  endpoints,
  config,
]
