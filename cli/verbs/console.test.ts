import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { vmRecordsIn } from '../../agent/drivers/vm/qemu/record.ts'
import { sidecarsIn } from '../../agent/fence/sidecar.ts'
import { diskFiles } from '../../base/disk-files.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import type { Io } from '../io.ts'
import { recording } from '../testing/listening.ts'
import { showConsole, typed } from './console.ts'

let root: string
let config: string
beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'ppn-console-'))
  config = path.join(root, 'agent.yaml')
  writeFileSync(config, `state: ${root}/state\nrun: ${root}/run\n`)
})
afterEach(() => rmSync(root, { recursive: true }))

function speaking() {
  const said = { out: '', err: '' }
  const stop = new AbortController()
  const clock = virtualClock()
  const io = {
    ...recording(said),
    clock,
    signal: stop.signal,
  } as unknown as Io
  return { io, said, stop, clock }
}

/** An archive that has run here. */
async function archive(id: string, namespace: string, name: string, slot: number): Promise<string> {
  const files = diskFiles(path.join(root, 'state'))
  const spec = { id, slot, disk: '/disk', format: 'raw' as const, vcpus: 1, floorMiB: 128, maxMiB: 512 }
  await vmRecordsIn(files).write({ spec, hostBootId: 'x', state: 'ended' })
  const image = { imageSha256: 'c'.repeat(64), format: 'raw' as const, state: 'ready' as const }
  await sidecarsIn(files).write({ id, name, namespace, fencingEpoch: 1, ...image })
  await files.sub('consoles').write(`${id}.log`, Buffer.from(`login at ${namespace}: `))
  return path.join(root, 'state', 'consoles', `${id}.log`)
}
const A = 'a'.repeat(32)
const B = 'b'.repeat(32)

test.each([A, 'vault', 'office/vault'])('the log of %s, the older part first', async (what) => {
  const log = await archive(A, 'office', 'vault', 1)
  writeFileSync(`${log}.1`, 'booting\n')
  const { io, said } = speaking()
  expect(await showConsole(io, what, { config, log: true })).toBe(0)
  expect(said.out).toBe('booting\nlogin at office: ')
})

test('a followed log goes on with what is new, also when it was begun anew', async () => {
  const log = await archive(A, 'office', 'vault', 1)
  const { io, said, stop, clock } = speaking()
  const following = showConsole(io, 'vault', { config, follow: true })
  /** The files are real, the time is not. */
  const shows = async (text: string) => {
    for (let i = 0; i < 2_000 && !said.out.endsWith(text); i++) await clock.advance(250)
    expect(said.out.endsWith(text)).toBe(true)
  }
  await shows('login at office: ')
  writeFileSync(log, 'login at office: root')
  await shows('login at office: root')
  writeFileSync(log, 'anew')
  await shows('rootanew')
  stop.abort()
  expect(await following).toBe(0)
})

test('a name that two namespaces have asks which', async () => {
  await archive(A, 'office', 'vault', 1)
  await archive(B, 'home', 'vault', 2)
  await expect(showConsole(speaking().io, 'vault', { config })).rejects.toMatchObject({
    message: 'vault is several',
    hint: 'say one of: office/vault, home/vault',
  })
})

test('a machine that is not here: those that are', async () => {
  await archive(A, 'office', 'vault', 1)
  await expect(showConsole(speaking().io, 'other', { config })).rejects.toMatchObject({ hint: 'it has: office/vault' })
})

test('a machine that does not run has a log', async () => {
  await archive(A, 'office', 'vault', 1)
  await expect(showConsole(speaking().io, 'vault', { config })).rejects.toMatchObject({
    message: 'office/vault does not run',
    exit: 69,
  })
})

test.each<[string, string, boolean, string, boolean]>([
  ['what is typed goes to the guest, Ctrl-C too', 'ls\x03', true, 'ls\x03', false],
  ['Ctrl-] leaves, and what was typed before it arrives', 'ls\r\x1dx', true, 'ls\r', true],
  ['a pipe may hold any byte', 'a\x1db', false, 'a\x1db', false],
])('%s', (_, text, terminal, send, leave) => {
  const got = typed(Buffer.from(text), terminal)
  expect({ send: got.send.toString(), leave: got.leave }).toEqual({ send, leave })
})
