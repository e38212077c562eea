// protocol/vectors/*.json: what every byte of docs/protocol.md comes to for fixed keys. Whoever speaks the protocol
// can check against them; our own tests do.
import { openChainedLog } from '../base/chained-log.ts'
import { encodeBeacon, readBeacon } from '../protocol/beacon.ts'
import { armorBundle } from '../protocol/bundle/armor.ts'
import { encodeSignedBundle, sealBundle } from '../protocol/bundle/seal.ts'
import { encodeCommand } from '../protocol/command/encode.ts'
import { tagPrefix } from '../protocol/command/tag.ts'
import { x25519 } from '../protocol/curves.ts'
import { deriveNodeKeys, fingerprint, type KeyPair } from '../protocol/keys.ts'
import { armorOperatorDocument, type OperatorDocument, sealOperatorDocument } from '../protocol/operator/document.ts'
import { encodeClaim, signGrant } from '../protocol/pairing/claim-frame.ts'
import { signRelease } from '../protocol/release.ts'
import { signDomain, verifyDomain } from '../protocol/sign.ts'
import { chunkHash, chunkList } from '../protocol/sync/chunk-list.ts'
import { encodeSyncFrame } from '../protocol/sync/frame.ts'
import { sealFrame, type TelemetryFrame } from '../protocol/telemetry/frame.ts'
import { memoryFiles } from '../testing/memory-files.ts'
import { pairing } from './pairing-vectors.ts'
import { registry } from './registry-vectors.ts'
import * as input from './vector-inputs.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const pair = ({ secretKey, publicKey }: KeyPair) => ({ secret: hex(secretKey), public: hex(publicKey) })
const { meshId, nodeId, enrolmentId, authorityId } = input

const keysAt = (term: number) =>
  deriveNodeKeys({
    ownSecret: input.authorityCommand.secretKey,
    peerPublic: input.nodeCommand.publicKey,
    meshId,
    nodeId,
    enrolmentId,
    term,
  })

function keys() {
  return {
    authorityCommand: pair(input.authorityCommand),
    nodeCommand: pair(input.nodeCommand),
    shared: hex(x25519(input.nodeCommand.secretKey, input.authorityCommand.publicKey)),
    meshId,
    nodeId,
    enrolmentId,
    terms: [0, input.term, 0xffff_ffff].map((term) => {
      const { command, telemetry } = keysAt(term)
      return { term, command: hex(command), telemetry: hex(telemetry) }
    }),
    authoritySigning: { ...pair(input.authoritySigning), fingerprint: fingerprint(input.authoritySigning.publicKey) },
  }
}

function commands() {
  const key = keysAt(input.term).command
  return {
    key: hex(key),
    context: input.context,
    tagPrefix: hex(tagPrefix(input.context)),
    commands: Object.entries(input.commands).map(([name, packet]) => ({
      name,
      packet,
      bytes: hex(encodeCommand(packet, key, input.context)),
    })),
    refused: Object.entries(input.refusedCommands).map(([reason, bytes]) => ({ reason, bytes })),
    revisions: input.revisions,
  }
}

function bundles() {
  const sealed = sealBundle(input.bundle, { id: authorityId, signingSecret: input.authoritySigning.secretKey })
  const encoded = encodeSignedBundle(sealed)
  return {
    signing: pair(input.authoritySigning),
    document: input.bundle,
    contentDigest: sealed.digest,
    signature: hex(sealed.signature),
    encoded: hex(encoded),
    armored: armorBundle(encoded),
  }
}

function telemetry() {
  const key = keysAt(input.term).telemetry
  const head = { term: input.term, header: input.frameHeader, part: 1, parts: 1 }
  const frames: Record<string, TelemetryFrame> = {
    snapshot: { ...head, type: 'full', body: input.report },
    delta: { ...head, type: 'delta', body: { isolated: true, removed: { marks: [[1, 0]] } } },
  }
  const delta = sealFrame(frames.delta as TelemetryFrame, key)
  const changed = (at: number) => hex(delta.map((byte, i) => (i === at ? byte ^ 1 : byte)))
  return {
    key: hex(key),
    frames: Object.entries(frames).map(([name, frame]) => ({ name, frame, bytes: hex(sealFrame(frame, key)) })),
    refused: [
      { reason: 'FrameLength', bytes: '0100000003' },
      { reason: 'FrameVersion', bytes: `02${hex(delta.subarray(1))}` },
      { reason: 'FrameTag', bytes: changed(10) },
    ],
  }
}

function sync() {
  const chunks = ['first', 'second', 'third'].map((text) => new TextEncoder().encode(text))
  const hashes = chunks.map(chunkHash)
  const list = chunkList(hashes)
  const offer = { archive: input.archiveId, fencingEpoch: 1, root: list.root, sizeBytes: 3 * 1024 * 1024 }
  return {
    chunkList: { chunks: chunks.map(hex), hashes: hashes.map(hex), root: list.root },
    frames: [
      { type: 'bundle', bytes: hex(encodeSyncFrame({ type: 'bundle', bundle: Uint8Array.of(1, 2, 3) })) },
      { type: 'offer', bytes: hex(encodeSyncFrame({ type: 'offer', offer })), offer },
      ...chunks.map((bytes, index) => ({
        type: 'chunk',
        bytes: hex(encodeSyncFrame({ type: 'chunk', index, proof: list.proof(index), bytes })),
      })),
      { type: 'end', bytes: hex(encodeSyncFrame({ type: 'end' })) },
    ],
  }
}

async function records() {
  const files = memoryFiles()
  const { secretKey, publicKey } = input.authoritySigning
  const options = {
    sign: (bytes: Uint8Array) => signDomain('ppn-registry/1', bytes, secretKey),
    verify: (bytes: Uint8Array, signature: Uint8Array) => verifyDomain('ppn-registry/1', bytes, signature, publicKey),
  }
  const log = await openChainedLog(files, 'nodes.jsonl', options)
  await log.append({ example: 'first' })
  await files.append('nodes.jsonl', new TextEncoder().encode('{"entry":{"exam'))
  const again = await openChainedLog(files, 'nodes.jsonl', options)
  const head = await again.append({ example: 'second' })
  const release = { meshId, nodeId, archive: input.archiveId, fencingEpoch: 1 }
  return {
    chainedLog: {
      signing: pair(input.authoritySigning),
      lines: Buffer.from((await files.read('nodes.jsonl')) as Uint8Array)
        .toString('utf8')
        .trimEnd()
        .split('\n'),
      head,
    },
    release: {
      signing: pair(input.nodeSigning),
      record: release,
      signature: signRelease(release, input.nodeSigning.secretKey),
    },
  }
}

function operatorDocuments() {
  const seal = (document: OperatorDocument) => sealOperatorDocument(document, input.operator.secretKey)
  const encoded = seal(input.operatorDocuments[0] as OperatorDocument)
  const changed = (at: number) => hex(encoded.map((byte, i) => (i === at ? byte ^ 1 : byte)))
  return {
    signing: pair(input.operator),
    documents: input.operatorDocuments.map((document) => ({
      document,
      bytes: hex(seal(document)),
      syncFrame: hex(encodeSyncFrame({ type: 'operator', document: seal(document) })),
    })),
    armored: armorOperatorDocument(encoded),
    refused: [
      { reason: 'OperatorMalformed', bytes: hex(encoded.subarray(0, 65)) },
      { reason: 'OperatorVersion', bytes: changed(0) },
      { reason: 'OperatorUnsigned', bytes: changed(1) },
      { reason: 'OperatorUnsigned', bytes: changed(encoded.length - 1) },
    ],
  }
}

/** Path -> content of every vector file. */
function genesis() {
  const { signingPublicKey, pairingPort } = input.genesis
  const hello = new Uint8Array(Buffer.from(input.genesis.hello, 'hex'))
  const beacon = encodeBeacon(pairingPort, signingPublicKey)
  const grant = signGrant(signingPublicKey, input.operator.secretKey)
  return {
    signingPublicKey: hex(signingPublicKey),
    fingerprint: fingerprint(signingPublicKey),
    beacon: { ...readBeacon(beacon), bytes: hex(beacon) },
    notABeacon: input.genesis.notABeacon,
    operatorSigning: pair(input.operator),
    claims: [
      { grant: null, hello: hex(hello), bytes: hex(encodeClaim(signingPublicKey, hello)) },
      { grant: hex(grant), hello: hex(hello), bytes: hex(encodeClaim(signingPublicKey, hello, grant)) },
    ],
  }
}

export async function generateVectors(): Promise<Map<string, string>> {
  const files = {
    keys: keys(),
    commands: commands(),
    bundle: bundles(),
    telemetry: telemetry(),
    sync: sync(),
    operator: operatorDocuments(),
    records: await records(),
    pairing: pairing(),
    registry: await registry(),
    genesis: genesis(),
  }
  return new Map(
    Object.entries(files).map(([name, content]) => [
      `protocol/vectors/${name}.json`,
      `${JSON.stringify(content, null, 2)}\n`,
    ]),
  )
}
