import { expect, test } from 'vitest'
import type { ArchiveId, EnrolmentId, FencingEpoch, MeshId, NodeId, TargetByte } from '../../protocol/ids.ts'
import { generateEd25519, toBase64 } from '../../protocol/keys.ts'
import { signRelease } from '../../protocol/release.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import type { RosterEntry } from '../roster.ts'
import { releaseCheck } from './releases.ts'

const MESH = '1'.repeat(32) as MeshId
const NODE = '2'.repeat(32) as NodeId
const ARCHIVE = '3'.repeat(32) as ArchiveId
const keys = generateEd25519(seededRandom('node'))
const entry: RosterEntry = {
  node: 'edge-1',
  nodeId: NODE,
  enrolmentId: '4'.repeat(32) as EnrolmentId,
  address: '10.8.0.2',
  target: 2 as TargetByte,
  commandPublicKey: 'x'.repeat(44),
  signingPublicKey: toBase64(keys.publicKey),
  hub: false,
}
const signed = (over: { nodeId?: NodeId; fencingEpoch?: number } = {}) => {
  const fencingEpoch = (over.fencingEpoch ?? 3) as FencingEpoch
  const record = { meshId: MESH, nodeId: over.nodeId ?? NODE, archive: ARCHIVE, fencingEpoch }
  return { archive: ARCHIVE, fencingEpoch, signature: signRelease(record, keys.secretKey) }
}

test('law 11: a release counts when the node’s own signing key signed it, and otherwise does not', () => {
  let forged = 0
  const check = releaseCheck(MESH, () => forged++)
  const genuine = { ...signed(), chunkListRoot: 'c'.repeat(64) }
  const raised = { ...signed(), fencingEpoch: 4 as FencingEpoch }
  const others = signed({ nodeId: '9'.repeat(32) as NodeId })
  expect(check(entry, [genuine, raised, others])).toEqual([genuine])
  expect(forged).toBe(2)
  const stranger = toBase64(generateEd25519(seededRandom('other')).publicKey)
  expect(check({ ...entry, signingPublicKey: stranger }, [genuine])).toEqual([])
  const { signingPublicKey: _none, ...keyless } = entry
  expect(check(keyless, [genuine])).toEqual([])
})

test('a forged record that comes with every snapshot is counted once', () => {
  let forged = 0
  const check = releaseCheck(MESH, () => forged++)
  const raised = { ...signed(), fencingEpoch: 4 as FencingEpoch }
  for (let i = 0; i < 5; i++) check(entry, [raised])
  expect(forged).toBe(1)
})
