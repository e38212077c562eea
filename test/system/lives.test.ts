// Ends and returns: a machine's agent alone, the authority alone, a state out of its backup.
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { commandLine, processesOf } from './processes.ts'
import { type Workspace, workspace } from './workspace.ts'

let w: Workspace
let mesh = 10
beforeEach(() => {
  w = workspace(mesh++)
})
afterEach(() => w.close())

const authorities = () => processesOf(w.root).filter((pid) => commandLine(pid).includes('main.ts up'))
const machines = () => processesOf(w.root).filter((pid) => commandLine(pid).includes('simulated/host'))

test('each simulated machine is a process of its own: one that is killed starts again, and the others never stop', async () => {
  const up = await w.up()
  const before = machines()
  expect(before).toHaveLength(3)
  const from = up.output().length
  const victim = before.at(-1) as number
  process.kill(victim, 'SIGKILL')
  await up.until(/the simulated machine’s process ended; it starts again/, { from })
  await expect.poll(() => machines().length, { timeout: 60_000 }).toBe(3)
  expect(machines().filter((pid) => before.includes(pid))).toHaveLength(2)
  const isReady = async () => (await w.ppn('get', 'nodes', '--no-headers')).out.match(/ True /g)?.length === 3
  await expect.poll(isReady, { timeout: 100_000, interval: 1_000 }).toBe(true)
  up.kill('SIGTERM')
  expect((await up.ended).code).toBe(0)
  expect(processesOf(w.root)).toEqual([])
})

test('a machine that is killed while it is set up is set up again, and so are the others', async () => {
  const starting = w.startPpn('up', w.fleet, '--simulate', '--metrics-port', '0', '--once', '--timeout', '4m')
  await expect.poll(() => machines().length, { timeout: 60_000, interval: 5 }).toBeGreaterThan(0)
  process.kill(machines()[0] as number, 'SIGKILL')
  await starting.until(/process ended; it starts again|could not be set up/, { withinMs: 60_000 })
  expect((await starting.ended).code).toBe(0)
})

test('the authority killed on the spot takes no machine out of its state; the next start converges the same fleet', async () => {
  const first = await w.up()
  const addresses = (await w.ppn('get', 'nodes', '-o', 'json')).out.match(/"address": "[^"]+"/g)
  // The launcher cannot pass on what cannot be caught: the authority itself is meant.
  for (const pid of authorities()) process.kill(pid, 'SIGKILL')
  expect((await first.ended).code).toBe(137)
  await expect.poll(() => processesOf(w.root), { timeout: 20_000 }).toEqual([])
  const again = await w.up('--once')
  expect((await again.ended).code).toBe(0)
  expect((await w.ppn('get', 'nodes', '-o', 'json')).out.match(/"address": "[^"]+"/g)).toEqual(addresses)
})

test('the launcher killed on the spot takes the authority and its machines with it, in good order', async () => {
  const up = await w.up()
  up.kill('SIGKILL')
  await up.ended
  await expect.poll(() => processesOf(w.root), { timeout: 20_000 }).toEqual([])
})

test('a backup is one encrypted file; restored into a new state it is the same fleet', async () => {
  const secret = join(w.root, 'passphrase')
  writeFileSync(secret, 'correct horse battery staple\n', { mode: 0o600 })
  const file = join(w.root, 'office.backup')
  const up = await w.up()
  const keys = (await w.ppn('keys', '-o', 'json')).out
  const backup = await w.ppn('backup', file, '--passphrase-file', secret)
  expect(backup.code, backup.err).toBe(0)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  up.kill('SIGTERM')
  await up.ended

  const wrong = join(w.root, 'wrong')
  writeFileSync(wrong, 'something else\n')
  const state = join(w.root, 'restored')
  expect((await w.ppn('restore', file, '--state', state, '--passphrase-file', wrong)).code).toBe(2)
  const restored = await w.ppn('restore', file, '--state', state, '--passphrase-file', secret)
  expect(restored.code, restored.err).toBe(0)
  expect((await w.ppn('restore', file, '--state', state, '--passphrase-file', secret)).code).toBe(2)
  const second = w.startPpn('up', w.fleet, '--metrics-port', '0', '--state', state)
  await second.until(/metrics on/)
  expect((await w.ppn('keys', '-o', 'json', '--state', state)).out.replaceAll(state, w.state)).toBe(keys)
  second.kill('SIGTERM')
  expect((await second.ended).code).toBe(0)
})
