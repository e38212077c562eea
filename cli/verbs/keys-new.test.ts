import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { parse } from 'yaml'
import { readKeys } from '../../authority/keys/keys.ts'
import { openOperatorKey } from '../../authority/keys/operator-file.ts'
import { toBase64 } from '../../protocol/keys.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import type { Io } from '../io.ts'
import { recording } from '../testing/listening.ts'
import { keysNew } from './keys-new.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ppn-keys-new-'))
})
afterEach(() => rm(folder, { recursive: true }))

function setUp(terminal = false) {
  const said = { out: '', err: '' }
  const io = {
    ...recording(said),
    ...{ terminal, cwd: folder, clock: virtualClock(), env: { PPN_PASSPHRASE: 'correct horse' } },
    read: (path: string) => readFile(path, 'utf8'),
  } as unknown as Io
  return { io, said }
}
const keysIn = async (manifest: string) => {
  const { data } = parse(manifest) as { data: { authority: string } }
  return readKeys(memoryFiles(new Map([['authority', new Uint8Array(Buffer.from(data.authority, 'base64'))]])))
}

test('prints a Secret that an authority starts from; the operator key is sealed beside, and nowhere in it', async () => {
  const { io, said } = setUp()
  await keysNew(io, { secret: 'ppn-authority-keys', namespace: 'ppn-system', operatorOut: 'fleet.operator' })
  expect(parse(said.out)).toMatchObject({
    kind: 'Secret',
    metadata: { name: 'ppn-authority-keys', namespace: 'ppn-system' },
    immutable: true,
  })
  const keys = await keysIn(said.out)
  const file = join(folder, 'fleet.operator')
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  const operator = await openOperatorKey(new Uint8Array(await readFile(file)), 'correct horse')
  expect(operator.publicKey).toEqual(keys.operator.publicKey)
  expect(said.out + said.err).not.toContain(toBase64(operator.secretKey))
  expect(Buffer.from(parse(said.out).data.authority, 'base64').toString()).not.toContain(toBase64(operator.secretKey))
})

test('a second call makes other keys, and never overwrites an operator key', async () => {
  const [first, second] = [setUp(), setUp()]
  await keysNew(first.io, { secret: 's', namespace: 'n', operatorOut: 'fleet.operator' })
  const again = { secret: 's', namespace: 'n', operatorOut: 'fleet.operator' }
  await expect(keysNew(second.io, again)).rejects.toThrow('is there already')
  expect(second.said.out).toBe('')
  const operatorPublic = toBase64((await keysIn(first.said.out)).operator.publicKey)
  await keysNew(second.io, { secret: 's', namespace: 'n', operatorPublic })
  const [one, other] = [await keysIn(first.said.out), await keysIn(second.said.out)]
  expect(other.operator.publicKey).toEqual(one.operator.publicKey)
  expect(other.meshId).not.toBe(one.meshId)
})

test('a Secret is not shown on a terminal, and an operator key is demanded', async () => {
  const options = { secret: 's', namespace: 'n', operatorOut: 'fleet.operator' }
  await expect(keysNew(setUp(true).io, options)).rejects.toThrow('would show on this terminal')
  for (const wrong of [{}, { operatorOut: 'a', operatorPublic: 'b' }])
    await expect(keysNew(setUp().io, { secret: 's', namespace: 'n', ...wrong })).rejects.toThrow('operator key over it')
  await writeFile(join(folder, 'empty'), '')
  const empty = { ...options, passphraseFile: join(folder, 'empty') }
  await expect(keysNew(setUp().io, empty)).rejects.toThrow('holds no passphrase')
})
