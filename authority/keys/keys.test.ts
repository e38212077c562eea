import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { createLogger } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import { ed25519PublicKey, fromBase64, toBase64 } from '../../protocol/keys.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { loadOrCreateKeys } from './keys.ts'

const load = (files = memoryFiles(), mayCreate = true) =>
  loadOrCreateKeys({ files, random: systemRandom, clock: virtualClock(), mayCreate })

test('keys are made once and read ever after', async () => {
  const files = memoryFiles()
  const first = await load(files)
  expect(first).toMatchObject({ created: true, operatorSecretPresent: true })
  const again = await load(files, false)
  expect(again.created).toBe(false)
  expect(again.keys).toEqual(first.keys)
  expect(again.keys.command.secretKey).toEqual(first.keys.command.secretKey)
  expect(again.keys.signing.secretKey).toEqual(first.keys.signing.secretKey)
})

test('the operator secret lies in a file of its own, and the keys work without it', async () => {
  const files = memoryFiles()
  const { keys } = await load(files)
  const secret = fromBase64(
    Buffer.from((await files.read('operator.secret')) ?? [])
      .toString()
      .trim(),
    32,
  )
  expect(ed25519PublicKey(secret)).toEqual(keys.operator.publicKey)
  await files.remove('operator.secret')
  expect(await load(files, false)).toMatchObject({ operatorSecretPresent: false })
  const authority = Buffer.from((await files.read('authority')) ?? []).toString()
  expect(authority).not.toContain(toBase64(secret))
})

test('missing keys beside other facts are an error, never replaced', async () => {
  const files = memoryFiles()
  await expect(load(files, false)).rejects.toMatchObject({ code: 'KeysMissing' })
  expect(await files.list()).toEqual([])
})

test('any change of the key file is an error, never replaced', async () => {
  const files = memoryFiles()
  await load(files)
  const good = Buffer.from((await files.read('authority')) ?? [])
  const other = memoryFiles()
  await load(other)
  const foreign = JSON.parse(Buffer.from((await other.read('authority')) ?? []).toString())
  const mixed = good
    .toString()
    .replace(/"commandSecretKey":"[^"]+"/, `"commandSecretKey":"${foreign.commandSecretKey}"`)
  for (const bad of [
    Buffer.alloc(0),
    good.subarray(0, -5),
    Buffer.concat([good, Buffer.from(' ')]),
    Buffer.from(mixed),
  ]) {
    await files.write('authority', bad)
    await expect(load(files)).rejects.toMatchObject({ code: 'KeysUnreadable' })
    expect(Buffer.from((await files.read('authority')) ?? [])).toEqual(bad)
  }
})

test('a first start cut short between its files goes on with the operator key it made', async () => {
  const files = memoryFiles()
  const { keys } = await load(files)
  await files.remove('authority')
  const next = await load(files)
  expect(next.keys.operator.publicKey).toEqual(keys.operator.publicKey)
  await files.remove('authority')
  await files.write('operator.secret', Buffer.from('no key\n'))
  await expect(load(files)).rejects.toMatchObject({ code: 'KeysUnreadable' })
})

test('no secret shows in JSON, in a log line or in an inspection (law 10)', async () => {
  const { keys } = await load()
  const lines: string[] = []
  createLogger({ write: (line) => void lines.push(line) }).info({ keys }, 'keys')
  const shown = [JSON.stringify(keys), inspect(keys, { depth: 9 }), ...lines].join('\n')
  for (const secret of [keys.command.secretKey, keys.signing.secretKey]) {
    expect(shown).not.toContain(toBase64(secret))
    expect(shown).not.toContain([...secret].join(', '))
    expect(shown).not.toContain(JSON.stringify(secret).slice(1, -1))
  }
})

test('an unreadable key file is not quoted in its error (law 10)', async () => {
  const files = memoryFiles()
  await load(files)
  const text = Buffer.from((await files.read('authority')) ?? []).toString()
  const secret = JSON.parse(text).signingSecretKey as string
  await files.write('authority', Buffer.from(`${text}x`))
  const error = await load(files).catch((e) => e)
  expect(inspect(error, { depth: 9 })).not.toContain(secret)
})
