import { expect, test } from 'vitest'
import { silentLogger } from '../../base/log.ts'
import { generateEd25519 } from '../../protocol/keys.ts'
import { memoryStore } from '../../stores/memory/store.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { ownFacts } from './whose.ts'

const random = seededRandom(7)
const keys = (...former: Uint8Array[]) => ({ signing: generateEd25519(random), formerSigning: former })
const facts = () => memoryStore({ clock: virtualClock(), random, log: silentLogger() }).records

test('the first keys are noted, and found again', async () => {
  const records = facts()
  const first = keys()
  await ownFacts(records, first)
  const { version } = records.list('keys/')[0] ?? {}
  await ownFacts(records, first)
  expect(records.list('keys/')[0]?.version).toBe(version)
})

test('other keys are refused, whose they are is said, and the note stays', async () => {
  const records = facts()
  const first = keys()
  await ownFacts(records, first)
  await expect(ownFacts(records, keys())).rejects.toMatchObject({ code: 'KeysOfAnother' })
  await ownFacts(records, first)
})

test('keys that the operator key put in place of the noted ones are taken, and the old ones no more', async () => {
  const records = facts()
  const first = keys()
  await ownFacts(records, first)
  const next = keys(first.signing.publicKey)
  await ownFacts(records, next)
  await ownFacts(records, next)
  await expect(ownFacts(records, first)).rejects.toMatchObject({ code: 'KeysOfAnother' })
})
