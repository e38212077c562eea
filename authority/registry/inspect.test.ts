// The registry as a file in anybody's hands: what is wrong with it, and in which line.
import { readFileSync } from 'node:fs'
import { beforeEach, describe, expect, test } from 'vitest'
import { openChainedLog, verifyChain } from '../../base/chained-log.ts'
import { systemRandom } from '../../base/random.ts'
import { canonicalBytes } from '../../protocol/canonical.ts'
import { generateEd25519, generateX25519, toBase64 } from '../../protocol/keys.ts'
import { signDomain } from '../../protocol/sign.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import type { Keys } from '../keys/keys.ts'
import { exportRegistry, readExport } from './export.ts'
import { forkOf, inspectRegistry } from './inspect.ts'
import { openRegistry, REGISTRY_FILE } from './registry.ts'

const signing = generateEd25519(systemRandom)
const nodeId = (n: number) => n.toString(16).padStart(32, '0')
const x = () => toBase64(generateX25519(systemRandom).publicKey)
const identity = () => ({ wireguardPublicKey: x(), commandPublicKey: x(), signingPublicKey: x() })

let files: ReturnType<typeof memoryFiles>
const registry = (of = files, keys = signing) =>
  openRegistry({ files: of, clock: virtualClock(), random: systemRandom, signing: keys })
const bytes = async (of = files) => (await of.read(REGISTRY_FILE)) as Uint8Array
const inspect = (text: string | Uint8Array, key = signing.publicKey) =>
  inspectRegistry(typeof text === 'string' ? Buffer.from(text) : text, 'r', key)

beforeEach(async () => {
  files = memoryFiles()
  const four = await registry()
  await four.enrol('relay', nodeId(1), identity(), 'declared')
  await four.enrol('laptop', nodeId(2), identity(), 'paired', 'person')
  await four.retire('laptop', 'replaced')
  await four.enrol('laptop', nodeId(2), identity(), 'paired', 'trustCode')
})
const lines = async () =>
  Buffer.from(await bytes())
    .toString()
    .trimEnd()
    .split('\n')
const joined = (parts: string[]) => parts.map((line) => `${line}\n`).join('')

test('a sound registry tells who is enrolled, who has left, and how', async () => {
  const report = inspect(await bytes())
  expect(report.fault).toBeUndefined()
  expect(report).toMatchObject({ lines: 4, torn: [], looseBytes: 0, adopted: [] })
  expect(report.enrolments.map(({ node, how, confirmedBy, left }) => [node, how, confirmedBy, left?.reason])).toEqual([
    ['relay', 'declared', undefined, undefined],
    ['laptop', 'paired', 'person', 'replaced'],
    ['laptop', 'paired', 'trustCode', undefined],
  ])
})

describe('what is wrong is named with its line', () => {
  test.each<[string, number, string, (all: string[]) => string[] | Promise<string[]>]>([
    ['a changed entry', 2, 'Changed', (all) => all.with(1, (all[1] as string).replace('"laptop"', '"tablet"'))],
    ['a line left out', 3, 'OutOfOrder', (all) => all.toSpliced(2, 1)],
    ['the first line left out', 1, 'OutOfOrder', (all) => all.slice(1)],
    ['two lines in each other’s place', 2, 'OutOfOrder', (all) => [all[0], all[2], all[1], all[3]] as string[]],
    ['words in between', 3, 'NotALine', (all) => all.toSpliced(2, 0, '{"hello": 1}')],
    [
      'an unsigned line',
      4,
      'BadSignature',
      (all) => all.with(3, (all[3] as string).replace(/"signature":"[^"]*"/, '"signature":""')),
    ],
    [
      'the signature of another line',
      4,
      'BadSignature',
      (all) =>
        all.with(
          3,
          (all[3] as string).replace(
            /"signature":"[^"]*"/,
            /"signature":"[^"]*"/.exec(all[1] as string)?.[0] as string,
          ),
        ),
    ],
  ])('%s', async (_, line, fault, change) => {
    const report = inspect(joined(await change(await lines())))
    expect(report.fault).toMatchObject({ line, fault })
    // As far as it holds, it is told.
    expect(report.lines).toBe(line - 1)
  })

  test('every line signed by another key', async () => {
    expect(inspect(await bytes(), generateEd25519(systemRandom).publicKey).fault).toMatchObject({
      line: 1,
      fault: 'BadSignature',
    })
  })

  test('a second line of one number, signed by the same key: a fork', async () => {
    const before = joined((await lines()).slice(0, 3))
    const other = memoryFiles(new Map([[REGISTRY_FILE, Buffer.from(before)]]))
    await (await registry(other)).enrol('thief', nodeId(9), identity(), 'declared')
    const [, , , second] = Buffer.from(await bytes(other))
      .toString()
      .split('\n')
    const report = inspect(joined([...(await lines()), second as string]))
    expect(report.fault).toMatchObject({ line: 5, fault: 'Fork' })
    expect(forkOf(await bytes(), await bytes(other))).toBe(4)
    expect(forkOf(await bytes(), Buffer.from(before))).toBeUndefined()
    expect(forkOf(await bytes(), await bytes())).toBeUndefined()
  })

  test('a line of a newer ppn', async () => {
    const sign = (b: Uint8Array) => signDomain('ppn-registry/1', b, signing.secretKey)
    await (await openChainedLog(files, REGISTRY_FILE, { sign })).append({ type: 'rename', node: 'x' })
    expect(inspect(await bytes()).fault).toMatchObject({ line: 5, fault: 'UnknownEntry' })
  })
})

test('a crash in the last line is told before and after the next start, and is no fault', async () => {
  const whole = await bytes()
  const cut = whole.subarray(0, whole.length - 30)
  const torn = inspect(cut)
  expect(torn.fault).toBeUndefined()
  expect(torn.looseBytes).toBeGreaterThan(100)
  const sealed = memoryFiles(new Map([[REGISTRY_FILE, cut]]))
  await registry(sealed)
  const report = inspect(await bytes(sealed))
  expect(report.fault).toBeUndefined()
  expect(report.torn).toEqual([{ line: 5, bytes: torn.looseBytes }])
  // Its seal broken, it shows.
  const text = Buffer.from(await bytes(sealed))
    .toString()
    .replace('trustCode', 'trustcode')
  expect(inspect(text).fault).toMatchObject({ line: 5, fault: 'Unsealed' })
})

test('no byte makes it throw, and what it finds is what the authority would refuse to start with', async () => {
  const whole = await bytes()
  for (let at = 0; at < whole.length; at += 17) {
    const changed = whole.map((byte, i) => (i === at ? byte ^ 0x15 : byte))
    const { fault } = inspect(changed)
    const opened = await verifyChain(memoryFiles(new Map([['r', changed]])), 'r', {}).then(
      () => 'sound',
      (error: { details: { line: number } }) => error.details.line,
    )
    if (fault && fault.fault !== 'BadSignature') expect(opened, `byte ${at}`).toBe(fault.line)
    else expect(opened, `byte ${at}`).toBe('sound')
  }
})

test('an export says whose it is, and holds the registry byte for byte', async () => {
  const keys = { meshId: 'a'.repeat(32), authorityId: 'b'.repeat(32), signing } as unknown as Keys
  const whole = await bytes()
  const read = readExport(exportRegistry(whole, keys))
  expect(Buffer.from(read.registry).equals(Buffer.from(whole))).toBe(true)
  expect(read.header).toEqual({
    format: 'ppn-registry-export/1',
    meshId: 'a'.repeat(32),
    authorityId: 'b'.repeat(32),
    signingPublicKey: toBase64(signing.publicKey),
  })
  expect(readExport(whole)).toEqual({ header: undefined, registry: whole })
  const other = canonicalBytes({ format: 'ppn-registry-export/2' })
  expect(readExport(Buffer.concat([other, Buffer.from('\n'), whole])).header).toBeUndefined()
})

test('the registry of docs/protocol.md is read, and its head is what it says', () => {
  const vector = JSON.parse(readFileSync(new URL('../../protocol/vectors/registry.json', import.meta.url), 'utf8'))
  const report = inspect(joined(vector.lines), new Uint8Array(Buffer.from(vector.signingPublicKey, 'base64')))
  expect(report.fault).toBeUndefined()
  expect(report.head).toEqual(vector.head)
  expect(report.enrolments.map(({ how, confirmedBy, left }) => [how, confirmedBy, left?.reason])).toEqual([
    ['declared', undefined, 'replaced'],
    ['paired', 'person', undefined],
  ])
})
