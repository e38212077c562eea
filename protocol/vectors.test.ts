// Whoever reads docs/protocol.md can check against these files; here both directions of our own code do.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { openChainedLog } from '../base/chained-log.ts'
import { generateVectors } from '../hack/generate-vectors.ts'
import { memoryFiles } from '../testing/memory-files.ts'
import { readBeacon } from './beacon.ts'
import { dearmorBundle } from './bundle/armor.ts'
import { contentDigest } from './bundle/digest.ts'
import { openSignedBundle } from './bundle/seal.ts'
import { decodeCommand } from './command/decode.ts'
import { verifyTag } from './command/tag.ts'
import { deriveNodeKeys, fingerprint } from './keys.ts'
import { dearmorOperatorDocument, openOperatorDocument } from './operator/document.ts'
import { readClaim, verifyGrant } from './pairing/claim-frame.ts'
import { verifyRelease } from './release.ts'
import { expandRevision } from './revision.ts'
import { verifyDomain } from './sign.ts'
import { chunkFits } from './sync/chunk-list.ts'
import { decodeSyncFrame } from './sync/frame.ts'
import { openFrame } from './telemetry/frame.ts'

// biome-ignore lint/suspicious/noExplicitAny: the files are read as anybody would read them
const vectors = (name: string): any =>
  JSON.parse(readFileSync(new URL(`./vectors/${name}.json`, import.meta.url), 'utf8'))
const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))

test('the files are what the generator makes', async () => {
  for (const [path, content] of await generateVectors()) {
    expect(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'), path).toBe(content)
  }
})

test('keys', () => {
  const { nodeCommand, authorityCommand, meshId, nodeId, enrolmentId, terms, authoritySigning } = vectors('keys')
  expect(terms.length).toBe(3)
  for (const { term, command, telemetry } of terms) {
    const ownSecret = bytes(nodeCommand.secret)
    const peerPublic = bytes(authorityCommand.public)
    expect(deriveNodeKeys({ ownSecret, peerPublic, meshId, nodeId, enrolmentId, term })).toEqual({
      command: bytes(command),
      telemetry: bytes(telemetry),
    })
  }
  expect(fingerprint(bytes(authoritySigning.public))).toBe(authoritySigning.fingerprint)
})

test('commands', () => {
  const { key, context, commands, refused, revisions } = vectors('commands')
  expect(commands.length).toBe(8)
  for (const { packet, bytes: hex } of commands) {
    expect(decodeCommand(bytes(hex))).toEqual({ ok: true, command: packet })
    expect(verifyTag(bytes(hex), bytes(key), context)).toBe(true)
  }
  for (const { reason, bytes: hex } of refused) expect(decodeCommand(bytes(hex))).toEqual({ ok: false, reason })
  for (const { low16, near, revision } of revisions) expect(expandRevision(low16, near)).toBe(revision)
})

test('bundle', () => {
  const { signing, document, contentDigest: digest, encoded, armored } = vectors('bundle')
  const trusted = [{ authorityId: document.content.authorities[0].id, signingPublicKey: bytes(signing.public) }]
  const opened = openSignedBundle(bytes(encoded), trusted)
  expect(opened).toMatchObject({ ok: true, bundle: { document, digest, version: 1 } })
  expect(contentDigest(document.content)).toBe(digest)
  expect(dearmorBundle(armored)).toEqual(bytes(encoded))
})

test('telemetry', () => {
  const { key, frames, refused } = vectors('telemetry')
  expect(frames.length).toBe(2)
  for (const { frame, bytes: hex } of frames) expect(openFrame(bytes(hex), bytes(key))).toEqual({ ok: true, frame })
  for (const { reason, bytes: hex } of refused) expect(openFrame(bytes(hex), bytes(key))).toEqual({ ok: false, reason })
})

test('sync', () => {
  const { chunkList, frames } = vectors('sync')
  const decoded = frames.map((frame: { bytes: string }) => decodeSyncFrame(bytes(frame.bytes)))
  expect(decoded.map((frame: { type: string }) => frame.type)).toEqual(frames.map((one: { type: string }) => one.type))
  for (const frame of decoded) {
    if (frame.type !== 'chunk') continue
    expect(Buffer.from(frame.bytes).toString('hex')).toBe(chunkList.chunks[frame.index])
    expect(chunkFits(chunkList.root, chunkList.chunks.length, frame.index, frame.bytes, frame.proof)).toBe(true)
  }
})

test('records', async () => {
  const { chainedLog, release } = vectors('records')
  const file = new TextEncoder().encode(`${chainedLog.lines.join('\n')}\n`)
  const log = await openChainedLog(memoryFiles(new Map([['nodes.jsonl', file]])), 'nodes.jsonl', {
    verify: (line, signature) => verifyDomain('ppn-registry/1', line, signature, bytes(chainedLog.signing.public)),
  })
  expect(log.head()).toEqual(chainedLog.head)
  expect(verifyRelease(release.record, release.signature, bytes(release.signing.public))).toBe(true)
})

test('operator documents', () => {
  const { signing, documents, armored, refused } = vectors('operator')
  const key = bytes(signing.public)
  expect(documents.map((one: { document: { type: string } }) => one.document.type)).toEqual([
    'authority',
    'operator',
    'override',
  ])
  for (const { document, bytes: hex, syncFrame } of documents) {
    expect(openOperatorDocument(bytes(hex), key)).toEqual({ ok: true, document })
    expect(decodeSyncFrame(bytes(syncFrame))).toEqual({ type: 'operator', document: bytes(hex) })
  }
  expect(Buffer.from(dearmorOperatorDocument(armored)).toString('hex')).toBe(documents[0].bytes)
  for (const { bytes: hex, reason } of refused)
    expect(openOperatorDocument(bytes(hex), key)).toEqual({ ok: false, reason })
})

test('genesis', () => {
  const { beacon, notABeacon, claims, signingPublicKey, operatorSigning, fingerprint: printed } = vectors('genesis')
  const { bytes: hex, ...read } = beacon
  expect(readBeacon(bytes(hex))).toEqual(read)
  expect(printed.startsWith(read.fingerprintPrefix)).toBe(true)
  for (const other of notABeacon) expect(readBeacon(bytes(other))).toBeUndefined()
  expect(claims.length).toBe(2)
  for (const { grant, hello, bytes: frame } of claims) {
    const claim = readClaim(bytes(frame))
    expect(claim).toMatchObject({ signingPublicKey: bytes(signingPublicKey), hello: bytes(hello) })
    expect(claim && verifyGrant(claim, bytes(operatorSigning.public))).toBe(grant !== null)
  }
})
