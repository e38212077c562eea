// `ppn registry ...` in front of a state folder and of files that somebody carried away; no authority runs.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadOrCreateKeys } from '../../authority/keys/keys.ts'
import { type NodeRegistry, openRegistry } from '../../authority/registry/registry.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { systemRandom } from '../../base/random.ts'
import { fingerprint, generateX25519, toBase64 } from '../../protocol/keys.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import type { Io } from '../io.ts'
import { recording } from '../testing/listening.ts'
import { registryExport, registryList, registryVerify } from './registry.ts'

const clock = virtualClock()
let state: string
let said: { out: string; err: string }
let registry: NodeRegistry
/** Of the authority's signing key. */
let whose: string
let key: string

beforeEach(async () => {
  state = mkdtempSync(join(tmpdir(), 'ppn-registry-'))
  said = { out: '', err: '' }
  const files = diskFiles(state)
  const { keys } = await loadOrCreateKeys({ files: files.sub('keys'), random: systemRandom, clock, mayCreate: true })
  whose = fingerprint(keys.signing.publicKey)
  key = toBase64(keys.signing.publicKey)
  registry = await openRegistry({ files, clock, random: systemRandom, signing: keys.signing })
  await enrol('relay', 1)
  await registry.enrol('laptop', '2'.padStart(32, '0'), identity(), 'paired', 'person')
  await registry.retire('laptop', 'deleted')
})
afterEach(() => rmSync(state, { recursive: true }))

const x = () => toBase64(generateX25519(systemRandom).publicKey)
const identity = () => ({ wireguardPublicKey: x(), commandPublicKey: x(), signingPublicKey: x() })
const enrol = (name: string, n: number) => registry.enrol(name, `${n}`.padStart(32, '0'), identity(), 'declared')
const io = () =>
  ({
    ...recording(said),
    env: {},
    cwd: state,
    clock,
  }) as unknown as Io
/** Runs a verb and takes what it said. */
async function run(verb: typeof registryVerify, file?: string, options: object = {}) {
  said = { out: '', err: '' }
  const code = await verb(io(), file, { state, ...options })
  return { code, ...said }
}
const tamper = (file: string, change: (text: string) => string) =>
  writeFileSync(join(state, file), change(readFileSync(join(state, file), 'utf8')))

test('the state folder is enough: sound, and whose it is', async () => {
  const { code, out } = await run(registryVerify)
  expect(code).toBe(0)
  expect(out).toMatch(/^nodes\.jsonl: 3 lines, sound, head [0-9a-f]{16}, signed by SHA256:/)
  expect(out).toContain('nodes: 1 enrolled, 1 have left\n')
})

test('an exported file tells the same anywhere, and is not written over', async () => {
  expect((await run(registryExport, 'copy.jsonl')).err).toBe(`signed by ${whose}\n`)
  const there = { state: '/nonexistent', authority: whose }
  expect((await run(registryVerify, 'copy.jsonl', there)).code).toBe(0)
  expect((await run(registryList, 'copy.jsonl', there)).out).toMatch(
    /^NODE[\s\S]*relay {3}2026-01-01T00:00:00Z {3}declared/,
  )
  await expect(run(registryExport, 'copy.jsonl')).rejects.toMatchObject({ code: 'EEXIST' })
  expect((await run(registryExport)).out).toBe(readFileSync(join(state, 'copy.jsonl'), 'utf8'))
})

test('whose it has to be is said by fingerprint or by key, and a file of somebody else is refused', async () => {
  await run(registryExport, 'copy.jsonl')
  const wanted = `SHA256:${'A'.repeat(43)}`
  await expect(run(registryVerify, 'copy.jsonl', { authority: wanted })).rejects.toMatchObject({
    code: 'RegistryKeyDiffers',
    message: `copy.jsonl is the registry of ${whose}, not of ${wanted}`,
  })
  await expect(run(registryVerify, 'nodes.jsonl')).rejects.toMatchObject({ code: 'RegistryKeyNeeded' })
  expect((await run(registryVerify, 'nodes.jsonl', { authority: key })).code).toBe(0)
  await expect(run(registryVerify, 'nothing.jsonl')).rejects.toMatchObject({ code: 'RegistryMissing' })
})

test('a changed line is named, the list goes as far as it holds, and the answer is no', async () => {
  tamper('nodes.jsonl', (text) => text.replace('"laptop"', '"tablet"'))
  const verified = await run(registryVerify)
  expect(verified.code).toBe(1)
  expect(verified.out).toContain('nodes.jsonl: sound up to line 1,')
  expect(verified.out).toContain('nodes.jsonl, line 2: is not what its hash was taken of [Changed]\n')
  const listed = await run(registryList)
  expect(listed.code).toBe(1)
  expect(listed.out).toContain('relay')
  expect(listed.err).toContain('line 2')
})

test('a torn end is told and no fault', async () => {
  tamper('nodes.jsonl', (text) => text.slice(0, -40))
  const { code, out } = await run(registryVerify)
  expect(code).toBe(0)
  expect(out).toMatch(/torn: \d+ bytes of a line at the end; the next start seals them\n/)
})

test('two copies: the same, one ahead of the other, or two histories', async () => {
  await run(registryExport, 'old.jsonl')
  expect((await run(registryVerify, undefined, { against: 'old.jsonl' })).out).toContain('old.jsonl: the same\n')
  const before = readFileSync(join(state, 'nodes.jsonl'))
  await enrol('edge', 3)
  await run(registryExport, 'new.jsonl')
  expect((await run(registryVerify, undefined, { against: 'old.jsonl' })).out).toContain('nodes.jsonl has 1 lines more')
  expect((await run(registryVerify, 'old.jsonl', { against: 'new.jsonl' })).out).toContain('has lost them or is older')
  // A restore of yesterday, and somebody else enrolled since.
  writeFileSync(join(state, 'nodes.jsonl'), before)
  const files = diskFiles(state)
  const { keys } = await loadOrCreateKeys({ files: files.sub('keys'), random: systemRandom, clock, mayCreate: false })
  registry = await openRegistry({ files, clock, random: systemRandom, signing: keys.signing })
  await enrol('thief', 4)
  const forked = await run(registryVerify, undefined, { against: 'new.jsonl' })
  expect(forked.code).toBe(1)
  expect(forked.out).toContain('line 4 is another one in each: two histories of one key [Fork]')
  expect(
    JSON.parse((await run(registryVerify, undefined, { against: 'new.jsonl', output: 'json' })).out),
  ).toMatchObject({
    sound: false,
    forkAt: 4,
  })
})

test('list names machines, how each came in, and with --all who has left and why', async () => {
  const listed = await run(registryList)
  expect(listed.out.trimEnd().split('\n')).toHaveLength(2)
  const all = await run(registryList, undefined, { all: true })
  expect(all.out).toMatch(/laptop +\S+ +paired +person +SHA256:\S+ +\S+ deleted\n/)
  const json = JSON.parse((await run(registryList, undefined, { output: 'json', all: true })).out)
  expect(json.map((entry: { node: string }) => entry.node)).toEqual(['relay', 'laptop'])
  expect(JSON.stringify(json)).not.toMatch(/secret/i)
})

test('with keys and without a file nobody was enrolled yet; a folder without keys is no state', async () => {
  rmSync(join(state, 'nodes.jsonl'))
  expect((await run(registryVerify)).out).toMatch(/^nodes\.jsonl: 0 lines, sound/)
  expect((await run(registryList)).err).toBe('nobody is enrolled\n')
  rmSync(join(state, 'keys'), { recursive: true })
  await expect(run(registryVerify)).rejects.toMatchObject({ code: 'KeysMissing' })
})
