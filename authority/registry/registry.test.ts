import { expect, test } from 'vitest'
import { systemRandom } from '../../base/random.ts'
import { generateEd25519, generateX25519, toBase64 } from '../../protocol/keys.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { inspectRegistry } from './inspect.ts'
import { openRegistry, SEVERED } from './registry.ts'

const signing = generateEd25519(systemRandom)
const open = (files = memoryFiles(), keys = signing) =>
  openRegistry({ files, clock: virtualClock(), random: systemRandom, signing: keys })
const x = () => toBase64(generateX25519(systemRandom).publicKey)
const identity = () => ({ wireguardPublicKey: x(), commandPublicKey: x(), signingPublicKey: x() })
const nodeId = (n: number) => n.toString(16).padStart(32, '0')
const text = async (files: ReturnType<typeof memoryFiles>) =>
  Buffer.from((await files.read('nodes.jsonl')) ?? []).toString()

test('an enrolment is one durable line, and survives a restart', async () => {
  const files = memoryFiles()
  const registry = await open(files)
  const keys = identity()
  const heard: string[] = []
  registry.subscribe((node) => heard.push(node))
  const result = await registry.enrol('edge-1', nodeId(1), keys, 'declared')
  expect(result).toMatchObject({ ok: true, enrolment: { node: 'edge-1', nodeId: nodeId(1), identity: keys } })
  expect(heard).toEqual(['edge-1'])
  expect(registry.head().count).toBe(1)
  const again = await open(files)
  expect(again.of('edge-1')).toEqual(registry.of('edge-1'))
  expect(again.head()).toEqual(registry.head())
})

test('enrolling the same node with the same keys again writes nothing', async () => {
  const registry = await open()
  const keys = identity()
  const first = await registry.enrol('edge-1', nodeId(1), keys, 'declared')
  expect(await registry.enrol('edge-1', nodeId(1), keys, 'declared')).toEqual(first)
  expect(registry.head().count).toBe(1)
})

test('a key of another node is refused until that node has left', async () => {
  const registry = await open()
  const keys = identity()
  await registry.enrol('edge-1', nodeId(1), keys, 'declared')
  for (const part of ['wireguardPublicKey', 'commandPublicKey', 'signingPublicKey'] as const) {
    const thief = { ...identity(), [part]: keys[part] }
    expect(await registry.enrol('edge-2', nodeId(2), thief, 'declared')).toMatchObject({
      ok: false,
      reason: 'KeyEnrolledElsewhere',
    })
  }
  await registry.retire('edge-1', 'deleted')
  expect(registry.of('edge-1')).toBeUndefined()
  expect(await registry.enrol('edge-2', nodeId(2), keys, 'declared')).toMatchObject({ ok: true })
})

test('other keys for an enrolled name are refused', async () => {
  const registry = await open()
  await registry.enrol('edge-1', nodeId(1), identity(), 'declared')
  expect(await registry.enrol('edge-1', nodeId(1), identity(), 'declared')).toMatchObject({
    ok: false,
    reason: 'IdentityDiffers',
  })
})

test('a name enrolled again after it left has another enrolment id', async () => {
  const registry = await open()
  const keys = identity()
  const first = await registry.enrol('edge-1', nodeId(1), keys, 'declared')
  await registry.retire('edge-1', 'deleted')
  await registry.retire('edge-1', 'deleted')
  const second = await registry.enrol('edge-1', nodeId(1), keys, 'declared')
  expect(registry.head().count).toBe(3)
  expect(first.ok && second.ok && first.enrolment.enrolmentId !== second.enrolment.enrolmentId).toBe(true)
})

test('two enrolments of one key at once have one winner', async () => {
  const registry = await open()
  const keys = identity()
  const results = await Promise.all([1, 2, 3].map((n) => registry.enrol(`edge-${n}`, nodeId(n), keys, 'simulated')))
  expect(results.map((r) => r.ok)).toEqual([true, false, false])
})

test('a node that has seen more of the registry than we have stops enrolment, not the enrolled', async () => {
  const registry = await open()
  const keys = identity()
  await registry.enrol('edge-1', nodeId(1), keys, 'declared')
  registry.observeHead('edge-1', { count: 2, hash: 'a'.repeat(64) })
  expect(await registry.enrol('edge-2', nodeId(2), identity(), 'declared')).toMatchObject({ reason: 'RegistryBehind' })
  expect(await registry.enrol('edge-1', nodeId(1), keys, 'declared')).toMatchObject({ ok: true })
  expect(registry.behind()?.node).toBe('edge-1')
})

test('another line at a number of ours stops enrolment as well', async () => {
  const registry = await open()
  await registry.enrol('edge-1', nodeId(1), identity(), 'declared')
  registry.observeHead('edge-1', registry.head())
  expect(registry.behind()).toBeUndefined()
  registry.observeHead('edge-1', { ...registry.head(), hash: 'a'.repeat(64) })
  expect(await registry.enrol('edge-2', nodeId(2), identity(), 'declared')).toMatchObject({ reason: 'RegistryBehind' })
})

test('a restore goes on numbering above what the nodes have seen', async () => {
  const files = memoryFiles()
  const registry = await open(files)
  await registry.enrol('edge-1', nodeId(1), identity(), 'declared')
  const seen = { count: 7, hash: 'a'.repeat(64) }
  registry.observeHead('edge-1', seen)
  await registry.adoptObserved()
  expect(registry.head().count).toBe(8)
  registry.observeHead('edge-1', seen)
  expect(registry.behind()).toBeUndefined()
  expect(await registry.enrol('edge-2', nodeId(2), identity(), 'declared')).toMatchObject({ ok: true })
  expect((await open(files)).head()).toEqual(registry.head())
  expect(registry.head().count).toBe(9)
})

test('a line changed, dropped or signed by another key is found when it is read (law 11)', async () => {
  const files = memoryFiles()
  const registry = await open(files)
  await registry.enrol('edge-1', nodeId(1), identity(), 'declared')
  await registry.enrol('edge-2', nodeId(2), identity(), 'declared')
  const good = await text(files)
  await expect(open(memoryFiles(files.dump()), generateEd25519(systemRandom))).rejects.toMatchObject({
    code: 'ChainBroken',
  })
  for (const bad of [good.replace('"edge-1"', '"edge-9"'), good.split('\n').slice(1).join('\n')]) {
    await files.write('nodes.jsonl', Buffer.from(bad))
    await expect(registry.verify()).rejects.toMatchObject({ code: 'ChainBroken' })
  }
})

test('a last line cut by a crash is sealed, never cut, and was told to nobody', async () => {
  const files = memoryFiles()
  const registry = await open(files)
  await registry.enrol('edge-1', nodeId(1), identity(), 'declared')
  const whole = await text(files)
  await registry.enrol('edge-2', nodeId(2), identity(), 'declared')
  const cut = (await text(files)).slice(0, -20)
  await files.write('nodes.jsonl', Buffer.from(cut))
  const after = await open(files)
  expect(after.list().map((e) => e.node)).toEqual(['edge-1'])
  const sealed = await text(files)
  expect(sealed.startsWith(cut)).toBe(true)
  expect(sealed.startsWith(whole)).toBe(true)
  expect(await after.enrol('edge-2', nodeId(2), identity(), 'declared')).toMatchObject({ ok: true })
  expect((await open(files)).list().length).toBe(2)
})

test('an enrolment whose line could not be written is not enrolled', async () => {
  const files = memoryFiles()
  const registry = await open(files)
  files.failWrites(new Error('disk full'))
  await expect(registry.enrol('edge-1', nodeId(1), identity(), 'declared')).rejects.toThrow('disk full')
  expect(registry.of('edge-1')).toBeUndefined()
  files.failWrites(undefined)
  expect(await registry.enrol('edge-1', nodeId(1), identity(), 'declared')).toMatchObject({ ok: true })
})

test('the keys of a severed machine are refused under every name, over restarts; the name is free', async () => {
  const files = memoryFiles()
  const registry = await open(files)
  const keys = identity()
  await registry.enrol('edge-1', nodeId(1), keys, 'paired')
  const rotated = { ...keys, commandPublicKey: x() }
  await registry.rekey('edge-1', rotated)
  await registry.retire('edge-1', SEVERED)
  for (const one of [registry, await open(files)]) {
    for (const part of ['wireguardPublicKey', 'commandPublicKey', 'signingPublicKey'] as const)
      for (const theirs of [keys, rotated]) {
        const thief = { ...identity(), [part]: theirs[part] }
        for (const name of ['edge-1', 'edge-2'])
          expect(await one.enrol(name, nodeId(2), thief, 'paired')).toMatchObject({ ok: false, reason: 'KeySevered' })
      }
    expect(one.ended('edge-1')).toMatchObject({ nodeId: nodeId(1), identity: rotated })
  }
  expect(await registry.enrol('edge-1', nodeId(1), identity(), 'paired')).toMatchObject({ ok: true })
})

test('a machine with other keys is the same enrolment; its first keys stay its own', async () => {
  const files = memoryFiles()
  const registry = await open(files)
  const keys = identity()
  const first = await registry.enrol('edge-1', nodeId(1), keys, 'declared')
  const rotated = { ...keys, wireguardPublicKey: x() }
  await registry.rekey('edge-1', rotated)
  for (const one of [registry, await open(files)]) {
    expect(one.of('edge-1')).toMatchObject({ identity: rotated, enrolledWith: keys })
    // What is declared are the first ones.
    expect(await one.enrol('edge-1', nodeId(1), keys, 'declared')).toMatchObject({ ok: true })
    const thief = { ...identity(), wireguardPublicKey: keys.wireguardPublicKey }
    expect(await one.enrol('edge-2', nodeId(2), thief, 'paired')).toMatchObject({ reason: 'KeyEnrolledElsewhere' })
  }
  expect(first.ok && registry.of('edge-1')?.enrolmentId).toBe(first.ok && first.enrolment.enrolmentId)
  await registry.rekey('edge-1', keys)
  expect(registry.of('edge-1')?.enrolledWith).toBeUndefined()
  const count = registry.head().count
  await registry.rekey('edge-1', keys)
  expect(registry.head().count).toBe(count)
})

test('an authority with new keys reads what the one before it signed, and signs on with its own', async () => {
  const files = memoryFiles()
  const before = await open(files)
  const enrolled = await before.enrol('edge-1', nodeId(1), identity(), 'paired')
  const next = generateEd25519(systemRandom)
  const opened = () =>
    openRegistry({
      ...{ files, clock: virtualClock(), random: systemRandom, signing: next },
      formerSigning: [signing.publicKey],
    })
  const after = await opened()
  expect(after.of('edge-1')).toEqual(enrolled.ok && enrolled.enrolment)
  await after.enrol('edge-2', nodeId(2), identity(), 'paired')
  expect((await opened()).list()).toHaveLength(2)
  await expect(open(files, next)).rejects.toMatchObject({ code: 'ChainBroken' })
  const file = (await files.read('nodes.jsonl'))!
  expect(inspectRegistry(file, 'it', next.publicKey, [signing.publicKey]).fault).toBeUndefined()
  expect(inspectRegistry(file, 'it', next.publicKey).fault).toBeDefined()
})

test('a replacement ends the one before it, in two lines, when and only when the new machine is let in', async () => {
  const files = memoryFiles()
  const registry = await open(files)
  const old = identity()
  const other = identity()
  await registry.enrol('edge-1', nodeId(1), old, 'paired', 'person')
  await registry.enrol('edge-2', nodeId(2), other, 'declared')
  const replace = (keys: ReturnType<typeof identity>) =>
    registry.enrol('edge-1', nodeId(1), keys, 'paired', 'person', 'replaced')
  // Refused: whoever has the name keeps it.
  const thief = { ...identity(), wireguardPublicKey: other.wireguardPublicKey }
  expect(await replace(thief)).toMatchObject({ ok: false, reason: 'KeyEnrolledElsewhere' })
  registry.observeHead('edge-2', { count: 9, hash: 'a'.repeat(64) })
  expect(await replace(identity())).toMatchObject({ ok: false, reason: 'RegistryBehind' })
  expect(registry.of('edge-1')?.identity).toEqual(old)
  expect(registry.head().count).toBe(2)
  registry.observeHead('edge-2', registry.head())
  // Some of its keys may be the old ones: a machine whose disk was half restored.
  const next = { ...identity(), signingPublicKey: old.signingPublicKey }
  expect(await replace(next)).toMatchObject({ ok: true })
  expect(registry.of('edge-1')?.identity).toEqual(next)
  expect(registry.head().count).toBe(4)
  expect((await open(files)).of('edge-1')?.identity).toEqual(next)
  // The same machine once more: nothing is written.
  await replace(next)
  expect(registry.head().count).toBe(4)
})
