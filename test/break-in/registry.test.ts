// Somebody has written in `nodes.jsonl`.
import { afterEach, expect, test } from 'vitest'
import { openRegistry } from '../../authority/registry/registry.ts'
import { generateEd25519 } from '../../protocol/keys.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { copyOf, type Fleet, startFleet } from '../fleet/harness.ts'
import { office, spoke } from '../fleet/objects.ts'
import { keysOf } from './support/ceremony.ts'

let fleet: Fleet
afterEach(() => fleet.stop())

const linesOf = () =>
  Buffer.from(fleet.files.get('nodes.jsonl') ?? [])
    .toString()
    .split('\n')
    .filter(Boolean)
const newcomer = () => spoke('edge-9', { identity: keysOf(0x41) })

async function restartWith(lines: readonly string[]): Promise<void> {
  fleet.killAuthority()
  const state = copyOf(fleet.authorityState())
  state.files.set('nodes.jsonl', Buffer.from(lines.map((line) => `${line}\n`).join('')))
  fleet.replaceAuthorityState(state)
  await fleet.startAuthority()
}

test('lines cut from its end: the nodes have seen more, and nobody new is let in', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  // Every bundle carries the head as it was when that was written: the hub's names the newcomer, hence its line.
  fleet.declare(spoke('edge-3'))
  await fleet.untilReady()
  const lines = linesOf()
  await restartWith(lines.slice(0, -1))
  await fleet.until(() => fleet.authority.registry.behind() !== undefined, 60_000)
  fleet.declare(newcomer())
  await fleet.until(() => fleet.condition('Node', 'edge-9', 'Enrolled')?.reason === 'RegistryBehind', 60_000)
  expect(fleet.authority.registry.of('edge-9')).toBeUndefined()
})

test('a line rewritten, taken out or put elsewhere: the authority does not start', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const lines = linesOf()
  expect(lines.length).toBe(3)
  const [a = '', b = '', c = ''] = lines
  for (const forged of [
    [a, b.replace('"edge-', '"edgy-'), c],
    [a, c],
    [b, a, c],
    [a, b, b, c],
    [a, b, c.replace(/"signature":"./, '"signature":"-')],
  ])
    await expect(restartWith(forged)).rejects.toMatchObject({ code: 'ChainBroken' })
  await restartWith(lines)
  await fleet.untilReady()
})

test('a whole registry signed by somebody else is none of ours', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const lines = linesOf()
  const files = memoryFiles()
  const random = seededRandom('mallory')
  const forged = await openRegistry({ files, clock: fleet.clock, random, signing: generateEd25519(random) })
  await forged.enrol('relay', 'ab'.repeat(16), keysOf(0x41), 'paired')
  const theirs = Buffer.from(files.dump().get('nodes.jsonl') ?? [])
    .toString()
    .trim()
  await expect(restartWith([theirs])).rejects.toMatchObject({ code: 'ChainBroken' })
  await restartWith(lines)
})

test('a fork by whoever has the signing key: the nodes have seen the other line of that number', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  fleet.declare(spoke('edge-3'))
  await fleet.untilReady()
  const lines = linesOf()
  const { signing } = fleet.authority.keys.keys
  const files = memoryFiles(new Map([['nodes.jsonl', Buffer.from(`${lines.slice(0, -1).join('\n')}\n`)]]))
  const forged = await openRegistry({ files, clock: fleet.clock, random: seededRandom('fork'), signing })
  await forged.enrol('edge-8', 'ab'.repeat(16), keysOf(0x51), 'paired')
  const fork = Buffer.from(files.dump().get('nodes.jsonl') ?? [])
    .toString()
    .trim()
    .split('\n')
  expect(fork.length).toBe(lines.length)
  await restartWith(fork)
  await fleet.until(() => fleet.authority.registry.behind() !== undefined, 60_000)
  fleet.declare(newcomer())
  await fleet.until(() => fleet.condition('Node', 'edge-9', 'Enrolled')?.reason === 'RegistryBehind', 60_000)
})
