// Machines join by `ppn join` and `ppn pair`, real processes on the loopback; one fleet for the whole file, in this order.
import { cpSync, mkdirSync, readFileSync } from 'node:fs'
import { join as path } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Running } from '../processes.ts'
import { startOnTerminal } from '../terminal.ts'
import { REPOSITORY } from '../workspace.ts'
import { HUB, type JoiningFleet, joinAndPair, joiningFleet, shownCode, shownDigits } from './fleet.ts'

const LATE_MS = 120_000
let fleet: JoiningFleet
let authority: Running
let hub: Running
let laptop: Running

beforeAll(async () => {
  fleet = joiningFleet(31)
  authority = await fleet.authority()
})
afterAll(() => fleet.close())

const lines = () =>
  readFileSync(path(fleet.state, 'nodes.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).entry)
const pairings = async () => JSON.parse((await fleet.ppn('get', 'pairings', '-o', 'json')).out).items ?? []
/** What `run` said, for a failure's message. */
const said = ({ join, pair }: { join: Running; pair: Running }) => `join:\n${join.output()}\npair:\n${pair.output()}`

test('the hub itself joins, with nobody at its console: the registry says so', async () => {
  hub = fleet.agent(HUB, 1)
  const join = fleet.startPpn('join', fleet.address, '--state-dir', fleet.stateDir(HUB), '--trust-code')
  const { rendezvous, code } = await shownCode(join)
  const pair = fleet.startPpn('pair', '--node', HUB)
  // What a phone reads from the QR code, pasted.
  pair.write(`ppn:${rendezvous}-${code}\n`)
  pair.write(`${await shownDigits(join)}\n`)
  expect((await join.ended).code, said({ join, pair })).toBe(0)
  expect((await pair.ended).code, said({ join, pair })).toBe(0)
  expect(lines()).toMatchObject([{ type: 'enrol', node: HUB, how: 'paired', confirmedBy: 'trustCode' }])
  await authority.until(/relay {2}Ready=True/, { withinMs: LATE_MS })
  expect(hub.output()).not.toMatch(/ERROR/)
})

test('a laptop joins with two things a person does on each side, and is Ready by its telemetry', async () => {
  fleet.node('laptop-1', { role: 'spoke', site: 'leased' })
  await authority.until(/laptop-1 {2}Ready=False NoIdentity/, { withinMs: LATE_MS })
  // It is given the lowest free address.
  laptop = fleet.agent('laptop-1', 2)
  const both = await joinAndPair(fleet, 'laptop-1')
  expect((await both.join.ended).code, said(both)).toBe(0)
  expect((await both.pair.ended).code, said(both)).toBe(0)
  expect(both.join.stdout()).toMatch(
    /^joined as laptop-1: bundle of revision \d+; a running agent takes it within a second\n$/,
  )
  expect(both.pair.stdout()).toBe('Approved: node laptop-1 is enrolled; this Pairing goes by itself within the hour\n')
  await authority.until(/laptop-1 {2}Ready=True Converged/, { withinMs: LATE_MS })
  expect(lines().at(-1)).toMatchObject({ node: 'laptop-1', how: 'paired', confirmedBy: 'person' })
  const shown = JSON.parse((await fleet.ppn('get', 'node/laptop-1', '-o', 'json')).out)
  expect(shown.status.address).toBe('127.90.31.2')
  expect(laptop.output()).not.toMatch(/ERROR/)
})

test('what came in is what the registry verifies and lists, from the files alone', async () => {
  const verified = await fleet.ppn('registry', 'verify')
  expect(verified.code, verified.out + verified.err).toBe(0)
  const listed = await fleet.ppn('registry', 'list')
  expect(listed.out).toMatch(/laptop-1 +\S+ +paired +person/)
  expect(listed.out).toMatch(/relay +\S+ +paired +trustCode/)
})

test('a name that is taken needs --replace; without it nothing changes', async () => {
  const join = fleet.startPpn('join', fleet.address, '--trust-code', '--state-dir', fleet.stateDir('other'))
  const { rendezvous, code } = await shownCode(join)
  const pair = fleet.startPpn('pair', '--node', 'laptop-1')
  pair.write(`${rendezvous}${code}\n`)
  pair.write(`${await shownDigits(join)}\n`)
  expect((await pair.ended).code, said({ join, pair })).toBe(1)
  expect((await join.ended).code).toBe(2)
  expect(pair.stdout()).toContain('Denied: nobody joined: the name belongs to another machine')
  expect(join.stderr()).toContain('[IdentityDiffers] [PairingRefused]')
  expect(lines().length).toBe(2)
})

test('a machine whose keys are enrolled under another name is refused', async () => {
  fleet.node('tablet', { role: 'spoke', site: 'leased' })
  await authority.until(/tablet {2}Ready=False NoIdentity/, { withinMs: LATE_MS })
  // The laptop's keys without its fleet: a copied disk.
  mkdirSync(fleet.stateDir('copy'), { recursive: true })
  cpSync(path(fleet.stateDir('laptop-1'), 'keys'), path(fleet.stateDir('copy'), 'keys'), { recursive: true })
  const join = fleet.startPpn('join', fleet.address, '--trust-code', '--state-dir', fleet.stateDir('copy'))
  const { rendezvous, code } = await shownCode(join)
  const pair = fleet.startPpn('pair', '--node', 'tablet')
  pair.write(`${rendezvous}${code}\n`)
  pair.write(`${await shownDigits(join)}\n`)
  expect((await pair.ended).code, said({ join, pair })).toBe(1)
  expect((await join.ended).code).toBe(2)
  expect(pair.stdout()).toContain('a key of this machine is enrolled under another name')
})

test('an operator who denies lets nobody in, and the machine is told', async () => {
  const join = fleet.startPpn('join', fleet.address, '--trust-code', '--state-dir', fleet.stateDir('tablet'))
  const { rendezvous, code } = await shownCode(join)
  const pair = fleet.startPpn('pair', '--node', 'tablet')
  pair.write(`${rendezvous}${code}\n`)
  await pair.until(/digits on its screen/, { withinMs: LATE_MS })
  pair.write('deny\n')
  expect((await pair.ended).code).toBe(1)
  expect((await join.ended).code).toBe(2)
  expect(join.stderr()).toContain('the operator refused it')
})

test('two operators at once: each lets in one machine, or is told that the rendezvous is taken', async () => {
  const join = fleet.startPpn('join', fleet.address, '--state-dir', fleet.stateDir('tablet'))
  const { rendezvous, code } = await shownCode(join)
  const first = fleet.startPpn('pair', '--node', 'tablet')
  first.write(`${rendezvous}${code}\n`)
  await first.until(/digits on its screen/, { withinMs: LATE_MS })
  fleet.node('phone', { role: 'spoke', site: 'leased' })
  await authority.until(/phone {2}Ready=False NoIdentity/, { withinMs: LATE_MS })
  const second = fleet.startPpn('pair', '--node', 'phone')
  second.write(`${rendezvous}${code}\n`)
  expect((await second.ended).code).toBe(1)
  expect(second.stdout()).toContain(`RendezvousTaken: another open Pairing has rendezvous ${rendezvous}`)

  // Ctrl-C in the middle: taken back, the machine hears of it.
  first.kill('SIGINT')
  expect((await first.ended).code).toBe(1)
  expect(first.stderr()).toContain('the Pairing is taken back')
  expect((await join.ended).code).toBe(2)
  expect(join.stderr()).toContain('the Pairing was deleted')
  expect((await pairings()).filter((p: { status: { phase: string } }) => p.status.phase === 'Pending')).toEqual([])
})

test('the authority is killed between the code and the digits: both sides go on with the next one', async () => {
  const join = fleet.startPpn('join', fleet.address, '--state-dir', fleet.stateDir('tablet'))
  const { rendezvous, code } = await shownCode(join)
  const pair = fleet.startPpn('pair', '--node', 'tablet')
  pair.write(`${rendezvous}${code}\n`)
  const before = await shownDigits(join)
  await pair.until(/digits on its screen/, { withinMs: LATE_MS })
  authority.kill('SIGKILL')
  await authority.ended
  authority = await fleet.authority()
  // The line was lost, so there are other digits now.
  await expect.poll(() => shownDigits(join), { timeout: LATE_MS }).not.toBe(before)
  pair.write(`${await shownDigits(join)}\n`)
  await pair.until(/digits here/, { withinMs: LATE_MS })
  join.write('yes\n')
  expect((await join.ended).code, said({ join, pair })).toBe(0)
  expect((await pair.ended).code, said({ join, pair })).toBe(0)
  expect(lines().filter(({ node }) => node === 'tablet').length).toBe(1)
})

test('on a terminal there are large symbols and a QR code; Ctrl-C ends it and says that nothing happened', async () => {
  const env = { ...fleet.env, LANG: 'C.UTF-8' }
  const args = [path(REPOSITORY, 'cli', 'main.ts'), 'join', fleet.address, '--state-dir', fleet.stateDir('phone')]
  const shown = startOnTerminal(process.execPath, args, { cwd: fleet.root, env })
  await shown.until(/rendezvous \w{4} {3}code \w{4}-\w{4}/, { withinMs: LATE_MS })
  expect(shown.output()).toContain('\u001b[30;47;107m')
  shown.write('\u0003')
  await shown.ended
  expect(shown.output()).toContain('stopped: this machine has not joined')
  const plain = startOnTerminal(process.execPath, args, { cwd: fleet.root, env: { ...env, NO_COLOR: '1' } })
  await plain.until(/code {12}\w \w \w \w - \w \w \w \w/, { withinMs: LATE_MS })
  expect(plain.output()).not.toContain('\u001b')
  plain.write('\u0003')
  await plain.ended
})
