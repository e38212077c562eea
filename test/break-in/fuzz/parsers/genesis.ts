// First boot, the operator key, what replaces an authority, and the registry as others read it.
import { readHoldingCode } from '../../../../agent/genesis/holding-code.ts'
import { questionIn } from '../../../../agent/genesis/question.ts'
import { sealBackup } from '../../../../authority/backup/seal.ts'
import { readDocuments } from '../../../../authority/keys/documents.ts'
import { readCard } from '../../../../authority/keys/fleet-card.ts'
import { openOperatorKey, sealOperatorKey } from '../../../../authority/keys/operator-file.ts'
import { readExport } from '../../../../authority/registry/export.ts'
import { forkOf, inspectRegistry } from '../../../../authority/registry/inspect.ts'
import { canonicalBytes } from '../../../../base/canonical-json.ts'
import { parseHostPort } from '../../../../base/dial.ts'
import { readClaimList } from '../../../../cli/claim-list.ts'
import * as given from '../../../../hack/vector-inputs.ts'
import { encodeBeacon, readBeacon } from '../../../../protocol/beacon.ts'
import { concat } from '../../../../protocol/bytes.ts'
import { toBase64 } from '../../../../protocol/keys.ts'
import {
  armorOperatorDocument,
  dearmorOperatorDocument,
  openOperatorDocument,
  operatorDocument,
  sealOperatorDocument,
} from '../../../../protocol/operator/document.ts'
import { encodeClaim, readClaim, signGrant, verifyGrant } from '../../../../protocol/pairing/claim-frame.ts'
import { readScan, scanText } from '../../../../protocol/pairing/code.ts'
import { initiate } from '../../../../protocol/pairing/initiator.ts'
import { signDomain } from '../../../../protocol/sign.ts'
import { memoryFiles } from '../../../../testing/memory-files.ts'
import { seededRandom } from '../../../../testing/seeded-random.ts'
import { accepted, bytesOf, declared, type FuzzedParser, jsonOf, refused, utf8 } from '../parser.ts'
import { sealed } from './agent-files.ts'
import { registry } from './authority-files.ts'

const beacon: FuzzedParser = {
  name: 'beacon',
  faces: 'socket',
  covers: ['protocol/beacon.ts#readBeacon'],
  shape: 'bytes',
  valid: [encodeBeacon(9202, given.authoritySigning.publicKey)],
  read(input) {
    const found = readBeacon(input)
    if (!found) return refused('none')
    const again = encodeBeacon(found.pairingPort, given.authoritySigning.publicKey)
    return accepted(concat(again.subarray(0, 5), input.subarray(5)))
  },
}

const grant = signGrant(given.authoritySigning.publicKey, given.operator.secretKey)
const { hello } = initiate({ purpose: 'claim', selector: 'HOLD', code: 'ABCD-EFGH', random: seededRandom('claim') })
const claim: FuzzedParser = {
  name: 'claim-frame',
  faces: 'socket',
  covers: ['protocol/pairing/claim-frame.ts#readClaim'],
  shape: 'bytes',
  valid: [
    encodeClaim(given.authoritySigning.publicKey, hello, grant),
    encodeClaim(given.authoritySigning.publicKey, hello),
  ],
  read(input) {
    const found = readClaim(input)
    if (!found) return refused('none')
    const same = Buffer.compare(found.signingPublicKey, given.authoritySigning.publicKey) === 0
    const granted = Buffer.compare(found.grant, grant) === 0
    if (verifyGrant(found, given.operator.publicKey) !== (same && granted)) throw new Error('a changed grant holds')
    return accepted(encodeClaim(found.signingPublicKey, found.hello, found.grant))
  },
}

const common = { version: 1, meshId: given.meshId, issuedMs: 1 } as const
const documents = [
  { ...common, type: 'authority', term: 9, authority: given.bundle.content.authorities[0] },
  { ...common, type: 'operator', operatorKey: toBase64(given.operator.publicKey) },
  { ...common, type: 'override', nodeId: given.nodeId, archive: given.archiveId, fencingEpoch: 3 },
].map((document) => operatorDocument.parse(document))
const sealedDocuments = documents.map((document) => sealOperatorDocument(document, given.operator.secretKey))
const operator: FuzzedParser = {
  name: 'operator-document',
  faces: 'socket',
  covers: ['protocol/operator/document.ts#openOperatorDocument'],
  shape: 'json',
  valid: documents.map(canonicalBytes),
  wrap: (json) => concat(Uint8Array.of(1), signDomain('ppn-authority/1', json, given.operator.secretKey), json),
  read(input) {
    const opened = openOperatorDocument(input, given.operator.publicKey)
    return opened.ok
      ? accepted(sealOperatorDocument(opened.document, given.operator.secretKey))
      : refused(opened.reason)
  },
}
const operatorArmor: FuzzedParser = {
  name: 'operator-armor',
  faces: 'file',
  covers: ['protocol/operator/document.ts#dearmorOperatorDocument', 'protocol/armor.ts#dearmorAs'],
  shape: 'text',
  valid: sealedDocuments.map((bytes) => bytesOf(armorOperatorDocument(bytes))),
  read: (input) =>
    declared(['BadArmor'], () => (dearmorOperatorDocument(utf8(input)).length > 0 ? accepted() : refused('empty'))),
}
const keptDocuments: FuzzedParser = {
  name: 'kept-documents',
  faces: 'file',
  covers: ['authority/keys/documents.ts#readDocuments'],
  shape: 'json',
  valid: [canonicalBytes(sealedDocuments.map(toBase64)), canonicalBytes([])],
  read: (input) =>
    declared(['KeysUnreadable'], async () => {
      await readDocuments(memoryFiles(new Map([['operator-documents', input]])))
      return accepted()
    }),
}

const COST = { n: 2, r: 1, p: 1 }
const operatorFile: FuzzedParser = {
  name: 'operator-key-file',
  faces: 'file',
  covers: ['authority/keys/operator-file.ts#openOperatorKey'],
  shape: 'bytes',
  valid: [await sealOperatorKey(given.operator.secretKey, 'secret', seededRandom('operator'), COST)],
  read: (input) =>
    declared(['BackupUnreadable', 'OperatorKeyUnreadable'], async () => {
      await openOperatorKey(input, 'secret')
      return accepted()
    }),
}
const otherFile: FuzzedParser = {
  ...operatorFile,
  name: 'operator-key-inside',
  shape: 'json',
  valid: [canonicalBytes({ format: 'ppn-operator-key/1', secretKey: toBase64(given.operator.secretKey) })],
  async read(input) {
    return operatorFile.read(await sealBackup(input, 'secret', seededRandom('inside'), COST))
  },
}

const card: FuzzedParser = {
  name: 'fleet-card',
  faces: 'file',
  covers: ['authority/keys/fleet-card.ts#readCard'],
  shape: 'json',
  valid: [
    jsonOf({
      ...{ format: 'ppn-fleet-card/1', meshId: given.meshId, meshEpochMs: 1, term: 3, revision: 4 },
      ...{ operatorKey: toBase64(given.operator.publicKey), authorityAddresses: ['10.8.0.1'], nodes: [] },
      signingKeys: [toBase64(given.authoritySigning.publicKey)],
    }),
  ],
  read: (input) => declared(['FleetCardUnreadable'], () => (readCard(utf8(input)) ? accepted() : refused('none'))),
}

const looked: FuzzedParser = {
  name: 'registry-looked-at',
  faces: 'file',
  covers: [
    'authority/registry/inspect.ts#inspectRegistry',
    'authority/registry/export.ts#readExport',
    'base/chained-log.ts#inspectChain',
  ],
  shape: 'lines',
  valid: registry.valid,
  read(input) {
    const { registry: inside } = readExport(input)
    const report = inspectRegistry(inside, 'nodes.jsonl', given.authoritySigning.publicKey)
    forkOf(inside, registry.valid[0] as Uint8Array)
    return report.fault ? refused(report.fault.fault) : accepted()
  },
}

const claimList: FuzzedParser = {
  name: 'claim-list',
  faces: 'file',
  covers: ['cli/claim-list.ts#readClaimList'],
  shape: 'text',
  valid: [
    bytesOf('address,node,code\n192.0.2.1,edge-1,ABCD-EFGH\n[2001:db8::1]:9443,edge-2,ABCD-EFGJ\n'),
    bytesOf('- {address: 192.0.2.1, node: edge-1, code: ABCD-EFGH}\n'),
  ],
  read: (input) => declared(['Error'], () => (readClaimList(utf8(input)).length > 0 ? accepted() : refused('none'))),
}
const scan: FuzzedParser = {
  name: 'qr-text',
  faces: 'person',
  covers: ['protocol/pairing/code.ts#readScan'],
  shape: 'text',
  valid: [bytesOf(scanText({ rendezvous: 'K7QX', code: 'ABCD-EFGH' }))],
  read(input) {
    const found = readScan(utf8(input))
    if (found && !readScan(scanText(found))) throw new Error('not read again')
    return found ? accepted() : refused('none')
  },
}
const hostPort: FuzzedParser = {
  name: 'host-port',
  faces: 'person',
  covers: ['base/dial.ts#parseHostPort'],
  shape: 'text',
  valid: ['relay.example', 'relay.example:9202', '[2001:db8::1]:9202', '::1'].map(bytesOf),
  read: (input) =>
    declared(['BadPairingAddress'], () => {
      const { host, port } = parseHostPort(utf8(input), 9202)
      if (!(Number.isInteger(port) && port > 0 && port < 65_536) || host === '') throw new Error('no such address')
      return accepted()
    }),
}

const holding = sealed(
  'holding-code',
  ['agent/genesis/holding-code.ts#readHoldingCode'],
  [{ code: 'ABCD-EFGH' }],
  async (files) => (await readHoldingCode(files)) !== undefined,
  'holding',
)
const question = sealed(
  'claim-question',
  ['agent/genesis/question.ts#questionIn'],
  [{ digits: '123456', nodeName: 'edge-1', authorityFingerprint: 'SHA256:x', asked: true }],
  async (files) => (await questionIn(files)) !== undefined,
  'claim-question',
)

export const GENESIS: readonly FuzzedParser[] = [
  ...[beacon, claim, operator, operatorArmor, keptDocuments, operatorFile, otherFile, card, looked],
  ...[claimList, scan, hostPort, holding, question],
]
