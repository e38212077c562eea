// Thousands of silent connections at the pairing port, from as many addresses: an honest machine joins, commands flow,
// memory stays, and who was refused is counted. The long form: PPN_CROWD=10000 (docs/joining.md has its figures).
import { readFileSync } from 'node:fs'
import { join as path } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Running, start } from '../processes.ts'
import { REPOSITORY } from '../workspace.ts'
import { ceremony } from './ceremony.ts'
import { HUB, type JoiningFleet, joiningFleet } from './fleet.ts'

const CROWD = Number(process.env.PPN_CROWD ?? 3_000)
/** `hello`: the crowd does not keep silent, but guesses at a rendezvous. */
const SAYS = process.env.PPN_CROWD_SAYS ?? 'nothing'
const LATE_MS = 120_000
const MIB = 1024 * 1024
/** Growth allowed (issue: under 64 MiB with 10,000 connections). */
const GROWTH_MIB = 64

let fleet: JoiningFleet
let authority: Running
let crowd: Running
const figures: string[] = []

beforeAll(async () => {
  fleet = joiningFleet(32)
  fleet.node('laptop-1', { role: 'spoke', site: 'leased', address: '127.90.32.2' })
  fleet.node('laptop-2', { role: 'spoke', site: 'leased', address: '127.90.32.3' })
  authority = await fleet.authority()
  fleet.agent(HUB, 1)
  fleet.agent('laptop-1', 2)
  figures.push(`ceremony of the hub, nobody else there: ${(await ceremony(fleet, HUB, '127.0.0.1')).toFixed(0)} ms`)
  figures.push(`... of a spoke: ${(await ceremony(fleet, 'laptop-1', '127.0.0.1')).toFixed(0)} ms`)
  await authority.until(/laptop-1 {2}Ready=True/, { withinMs: LATE_MS })
})
afterAll(async () => {
  process.stderr.write(`${figures.join('\n')}\n`)
  await fleet.close()
})

const rssMiB = (): number => {
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${authority.pid}/status`, 'utf8')) ?? []
  return (Number(kib) * 1024) / MIB
}
const sockets = (): number => {
  const [, inUse] = /^TCP: inuse (\d+)/m.exec(readFileSync('/proc/net/sockstat', 'utf8')) ?? []
  return Number(inUse)
}
async function refused(): Promise<Map<string, number>> {
  const [, url] = /metrics on (http:\S+)/.exec(authority.output()) as RegExpExecArray
  const text = await (await fetch(url as string)).text()
  return new Map(
    [...text.matchAll(/^ppn_pairing_refused_total\{reason="(\w+)"\} (\d+)/gm)].map(([, reason, n]) => [
      reason as string,
      Number(n),
    ]),
  )
}
const isolate = (on: boolean) =>
  fleet.node('laptop-1', { role: 'spoke', site: 'leased', address: '127.90.32.2', isolated: on })

test(`with ${CROWD} connections at the port an honest machine joins, and commands flow`, async () => {
  const before = rssMiB()
  const program = path(REPOSITORY, 'test', 'system', 'joining', 'crowd-process.ts')
  const [host = '', port = ''] = fleet.address.split(':')
  crowd = start(process.execPath, [program, host, port, String(CROWD), SAYS], { cwd: fleet.root, env: fleet.env })
  const state = () => JSON.parse(crowd.stdout().trimEnd().split('\n').at(-1) || '{"open":0,"dialled":0}')
  await expect.poll(() => state().dialled, { timeout: LATE_MS }).toBeGreaterThanOrEqual(CROWD)
  figures.push(`crowd: ${state().dialled} dialled, ${state().open} open, TCP sockets on this machine ${sockets()}`)

  const took = await ceremony(fleet, 'laptop-2', '127.0.0.99')
  figures.push(`an honest ceremony among them: ${took.toFixed(0)} ms`)

  const said = authority.output().length
  const startedMs = performance.now()
  isolate(true)
  await authority.until(/laptop-1 {2}Ready=True Isolated/, { from: said, withinMs: LATE_MS })
  figures.push(`an edited file to the node isolated and heard: ${(performance.now() - startedMs).toFixed(0)} ms`)

  const growth = rssMiB() - before
  figures.push(`memory: ${before.toFixed(0)} MiB before, ${growth.toFixed(1)} MiB more now`)
  expect(growth).toBeLessThan(GROWTH_MIB)
  const counted = await refused()
  figures.push(
    `refused: ${[...counted]
      .filter(([, n]) => n > 0)
      .map(([reason, n]) => `${reason} ${n}`)
      .join(', ')}`,
  )
  expect(counted.get(SAYS === 'hello' ? 'TooFast' : 'TooSlow')).toBeGreaterThan(CROWD / 2)
  // Counted, and not written down one by one.
  expect(authority.output().slice(said).length).toBeLessThan(20_000)
})
