// What an authority finds in its state folder, and what is asked of it on its admin socket.
import { gunzipSync, gzipSync } from 'node:zlib'
import { ROUTES } from '../../../../authority/admin/routes.ts'
import { auditTo } from '../../../../authority/audit.ts'
import { packEntries, unpackEntries } from '../../../../authority/backup/entries.ts'
import { openBackup, sealBackup } from '../../../../authority/backup/seal.ts'
import { restoredMark } from '../../../../authority/backup/snapshot.ts'
import { fileBrake } from '../../../../authority/brake.ts'
import { loadOrCreateKeys, OPERATOR_FILE } from '../../../../authority/keys/keys.ts'
import { markInFolder } from '../../../../authority/migrate/mark.ts'
import { openRegistry } from '../../../../authority/registry/registry.ts'
import { canonicalBytes } from '../../../../base/canonical-json.ts'
import { openChainedLog } from '../../../../base/chained-log.ts'
import { collectedChain } from '../../../../base/collected-chain.ts'
import { silentLogger } from '../../../../base/log.ts'
import { openSegmentedLog } from '../../../../base/segmented-log.ts'
import * as given from '../../../../hack/vector-inputs.ts'
import { toBase64 } from '../../../../protocol/keys.ts'
import { signDomain } from '../../../../protocol/sign.ts'
import { memoryFiles } from '../../../../testing/memory-files.ts'
import { seededRandom } from '../../../../testing/seeded-random.ts'
import { virtualClock } from '../../../../testing/virtual-clock.ts'
import { accepted, bytesOf, declared, type FuzzedParser, jsonOf, utf8 } from '../parser.ts'

const clock = virtualClock()
const signing = given.authoritySigning
const identity = (n: number) => ({
  wireguardPublicKey: toBase64(Buffer.alloc(32, n)),
  commandPublicKey: toBase64(Buffer.alloc(32, n + 1)),
  signingPublicKey: toBase64(Buffer.alloc(32, n + 2)),
})

const registryFiles = memoryFiles()
const registryOf = (files: ReturnType<typeof memoryFiles>) =>
  openRegistry({ files, clock, random: seededRandom('registry'), signing })
const writing = await registryOf(registryFiles)
await writing.enrol('relay', given.hubId, identity(1), 'simulated')
await writing.enrol('office', given.nodeId, identity(10), 'paired', 'person')
await writing.retire('office', 'left')

export const registry: FuzzedParser = {
  name: 'registry',
  faces: 'file',
  covers: ['authority/registry/registry.ts#openRegistry', 'base/chained-log.ts#openChainedLog'],
  shape: 'lines',
  valid: [registryFiles.dump().get('nodes.jsonl') as Uint8Array],
  read: (input) =>
    declared(['ChainBroken'], async () => {
      const files = memoryFiles(new Map([['nodes.jsonl', input]]))
      await registryOf(files)
      // Nothing is ever cut: what was there is the beginning of what is there now.
      const now = files.dump().get('nodes.jsonl') ?? new Uint8Array()
      if (Buffer.compare(now.subarray(0, input.length), input) !== 0) throw new Error('bytes were taken away')
      return accepted()
    }),
}

/** One line that the authority's own key signed, whatever it says: of another version of ppn, for instance. */
const signedLine: FuzzedParser = {
  name: 'registry-entry',
  faces: 'file',
  covers: ['authority/registry/registry.ts#openRegistry'],
  shape: 'json',
  valid: [
    jsonOf({
      ...{ type: 'enrol', atMs: 1, node: 'relay', nodeId: given.hubId, enrolmentId: given.enrolmentId },
      ...{ identity: identity(1), how: 'paired', confirmedBy: 'person' },
    }),
    jsonOf({ type: 'retire', atMs: 2, node: 'relay', enrolmentId: given.enrolmentId, reason: 'left' }),
    jsonOf({ type: 'adopt', atMs: 3, head: { count: 9, hash: '66'.repeat(32) } }),
  ],
  read: (input) =>
    declared(['ChainBroken', 'NotAnEntry'], async () => {
      const files = memoryFiles()
      const log = await openChainedLog(files, 'nodes.jsonl', {
        sign: (bytes) => signDomain('ppn-registry/1', bytes, signing.secretKey),
      })
      const entry = parsedOr(input)
      if (entry === undefined) throw notAnEntry()
      try {
        await log.append(entry)
      } catch {
        // What cannot be written is the writer's matter, and never reaches the reader.
        throw notAnEntry()
      }
      await registryOf(files)
      return accepted()
    }),
}

const notAnEntry = () => Object.assign(new Error(), { code: 'NotAnEntry' })

function parsedOr(input: Uint8Array): object | undefined {
  try {
    const value: unknown = JSON.parse(utf8(input))
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

const auditFiles = memoryFiles()
const auditLog = await openSegmentedLog(auditFiles, 'audit.jsonl', { segmentBytes: 400 })
const audit = auditTo({ log: auditLog, clock, logger: silentLogger() })
for (let i = 0; i < 3; i++) await audit.durable('command', { node: 'relay', op: 'PING', n: i })
const segments = auditFiles.dump()

const auditFile: FuzzedParser = {
  name: 'audit',
  faces: 'file',
  covers: [
    'base/segmented-log.ts#openSegmentedLog',
    'base/chained-log.ts#headBefore',
    'base/chained-log.ts#verifyChain',
  ],
  shape: 'lines',
  valid: [segments.get('audit-000002.jsonl') as Uint8Array],
  read: (input) =>
    declared(['ChainBroken'], async () => {
      const files = memoryFiles(new Map([...segments, ['audit-000002.jsonl', input]]))
      const log = await openSegmentedLog(files, 'audit.jsonl')
      await log.verify()
      return accepted()
    }),
}

/** Lines of it as `kubectl logs` has them. */
const collectedAudit: FuzzedParser = {
  name: 'audit-collected',
  faces: 'file',
  covers: ['base/collected-chain.ts#collectedChain', 'base/chained-log.ts#asLine'],
  shape: 'lines',
  valid: [Buffer.concat([...segments.values()])],
  async read(input) {
    const chain = collectedChain(() => undefined)
    for (const line of utf8(input).split('\n')) chain.add(line)
    chain.report({ hash: '0'.repeat(64) })
    return accepted()
  },
}

const COST = { n: 2, r: 1, p: 1 }
const packed = await packEntries(
  [
    { name: 'nodes.jsonl', bytes: bytesOf('line\n') },
    { name: 'keys/authority', bytes: bytesOf('{}') },
  ],
  1,
)
const backup: FuzzedParser = {
  name: 'backup',
  faces: 'file',
  covers: ['authority/backup/seal.ts#openBackup'],
  shape: 'bytes',
  valid: [await sealBackup(packed, 'secret', seededRandom('backup'), COST)],
  read: (input) =>
    declared(['BackupUnreadable'], async () => ((await openBackup(input, 'secret')) ? accepted() : accepted())),
}
const backupHeader: FuzzedParser = {
  name: 'backup-header',
  faces: 'file',
  covers: ['authority/backup/seal.ts#openBackup'],
  shape: 'json',
  valid: [backup.valid[0]!.subarray(0, backup.valid[0]!.indexOf(10))],
  wrap: (head) => Buffer.concat([head, backup.valid[0]!.subarray(backup.valid[0]!.indexOf(10))]),
  read: backup.read,
}
const backupEntries: FuzzedParser = {
  name: 'backup-entries',
  faces: 'file',
  covers: ['authority/backup/entries.ts#unpackEntries'],
  shape: 'lines',
  valid: [gunzipSync(packed)],
  wrap: (lines) => gzipSync(lines, { level: 1 }),
  read: (input) =>
    declared(['BackupUnreadable'], async () => {
      for (const { name } of (await unpackEntries(input)).entries)
        if (name.includes('..') || name.startsWith('/')) throw new Error(`a way out of the folder: ${name}`)
      return accepted()
    }),
}

const restored: FuzzedParser = {
  name: 'restored',
  faces: 'file',
  covers: ['authority/backup/snapshot.ts#restoredMark'],
  shape: 'json',
  valid: [canonicalBytes({ complete: true, createdMs: 1, restoredMs: 2 })],
  read: (input) =>
    declared(['RestoreIncomplete'], async () =>
      accepted(canonicalBytes(await restoredMark(memoryFiles(new Map([['restored', input]]))))),
    ),
}

const mark = { atMs: 1, id: '0'.repeat(32), meshId: 'f'.repeat(32), peer: 'the folder ./office', phase: 'gone' }
const migration: FuzzedParser = {
  name: 'migration-mark',
  faces: 'file',
  covers: ['authority/migrate/mark.ts#markInFolder'],
  shape: 'json',
  valid: [canonicalBytes(mark)],
  read: (input) =>
    declared(['MarkUnreadable'], async () =>
      accepted(canonicalBytes(await markInFolder(memoryFiles(new Map([['migration', input]]))))),
    ),
}

const keyFiles = memoryFiles()
await loadOrCreateKeys({ files: keyFiles, random: seededRandom('keys'), clock, mayCreate: true })
const loadKeys = (name: string) => (input: Uint8Array) =>
  declared(['KeysUnreadable'], async () => {
    const files = memoryFiles(new Map([[name, input]]))
    await loadOrCreateKeys({ files, random: seededRandom('more'), clock, mayCreate: true })
    return accepted()
  })
const authorityKeys: FuzzedParser = {
  name: 'authority-keys',
  faces: 'file',
  covers: ['authority/keys/keys.ts#loadOrCreateKeys', 'authority/keys/keys.ts#readKeys'],
  shape: 'json',
  valid: [keyFiles.dump().get('authority') as Uint8Array],
  read: loadKeys('authority'),
}
const operatorKey: FuzzedParser = {
  name: 'operator-key',
  faces: 'file',
  covers: ['authority/keys/keys.ts#loadOrCreateKeys'],
  shape: 'text',
  valid: [keyFiles.dump().get(OPERATOR_FILE) as Uint8Array],
  read: loadKeys(OPERATOR_FILE),
}

const brake: FuzzedParser = {
  name: 'brake',
  faces: 'file',
  covers: ['authority/brake.ts#fileBrake'],
  shape: 'text',
  valid: [bytesOf('someone is in there\n'), bytesOf('')],
  async read(input) {
    const state = await fileBrake({ files: memoryFiles(new Map([['brake', input]])), clock }).read()
    if (!state.set) throw new Error('a brake file that does not brake')
    return accepted()
  },
}

/** A backend that answers anything: what is tried is how requests are read. */
const anything = new Proxy({}, { get: () => () => ({}) }) as Parameters<(typeof ROUTES)[number]['answer']>[0]
const admin: FuzzedParser = {
  name: 'admin-request',
  faces: 'socket',
  covers: ['authority/admin/routes.ts#ROUTES', 'authority/admin/server.ts#serveAdmin', 'api/meta.ts#parseKey'],
  shape: 'json',
  valid: [
    jsonOf({ at: '/v1/create', body: { kind: 'Pairing', name: 'p', spec: { nodeName: 'a' } } }),
    jsonOf({ at: '/v1/confirm', body: { key: 'Archive/default/a' } }),
    jsonOf({ at: '/v1/enrol', body: { node: 'a', identity: identity(1) } }),
    jsonOf({ at: '/v1/brake', body: { set: true, reason: 'x' } }),
    jsonOf({ at: '/v1/explain', body: { key: 'Node/a' } }),
  ],
  read: (input) =>
    declared(['ZodError', 'SyntaxError', 'NoSuchRoute'], async () => {
      const { at, body } = (JSON.parse(utf8(input)) ?? {}) as { at?: unknown; body?: unknown }
      const route = ROUTES.find(({ path }) => path === at)
      if (!route) throw Object.assign(new Error(), { code: 'NoSuchRoute' })
      await route.answer(anything, body)
      return accepted()
    }),
}

export const AUTHORITY_FILES: readonly FuzzedParser[] = [
  registry,
  signedLine,
  auditFile,
  collectedAudit,
  backup,
  backupHeader,
  backupEntries,
  restored,
  migration,
  authorityKeys,
  operatorKey,
  brake,
  admin,
]
