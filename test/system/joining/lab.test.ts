// A machine joins a running fleet in the lab: networks of their own, NAT in front of it, real WireGuard. From `ppn join`
// to Ready by its telemetry, and what that costs the nodes that were there before: nothing but the hub's new peer.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join as path } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import type { NodeStatus } from '../../../api/v1alpha1/node.ts'
import { runOk, systemProcesses } from '../../../base/processes.ts'
import { builtProgram } from '../../lab/built.ts'
import { type Lab, startLab } from '../../lab/lab.ts'
import { startProbe } from '../../lab/probe.ts'
import { becomes, nodeSays } from '../../lab/ready.ts'
import { follow, type Running } from '../processes.ts'
import { shownCode, shownDigits } from './fleet.ts'

const [HUB, OFFICE, LAPTOP] = ['relay', 'office-1', 'laptop-1'] as const
const HOST = 'relay.office.example'
const LATE_MS = 120_000
const processes = systemProcesses()
const root = mkdtempSync(path(tmpdir(), 'ppn-joining-lab-'))
/** What the two people saw, and when. */
const story: string[] = []

let lab: Lab
let program: [string, ...string[]]

beforeAll(async () => {
  const fleet = path(root, 'office')
  mkdirSync(fleet)
  const node = (name: string, spec: object) =>
    writeFileSync(
      path(fleet, `${name}.yaml`),
      stringify({ apiVersion: 'ppn.dev/v1alpha1', kind: 'Node', metadata: { name }, spec }),
    )
  node(HUB, { role: 'hub', site: 'cloud', endpoint: `${HOST}:51820` })
  node(OFFICE, { role: 'spoke', site: 'onprem', address: '10.8.0.10' })
  node(LAPTOP, { role: 'spoke', site: 'leased' })
  program = await builtProgram(processes, path(root, 'built'))
  lab = await startLab({ processes, folder: path(root, 'lab'), fleet, owned: true, program, joining: [LAPTOP] })
  for (const name of [HUB, OFFICE]) await nodeSays(lab.fleet, name, 'Ready', 'Converged')
})
afterAll(async () => {
  process.stdout.write(`\n${story.join('\n')}\n`)
  await lab?.end()
  rmSync(root, { recursive: true, force: true })
})

const inside = async (node: string, ...args: [string, ...string[]]) =>
  (await runOk(lab.network.host(node).processes, args[0], args.slice(1))).toString()
const wg = (node: string, what: string) => inside(node, 'wg', 'show', 'ppn0', what)
function ppn(host: string, ...args: string[]): Running {
  const [file, ...before] = program
  const env = { ...process.env, PPN_STATE: lab.fleet.paths.state }
  return follow(lab.network.host(host).spawn(file, [...before, ...args], { stdio: ['pipe', 'pipe', 'pipe'], env }))
}
/** What an existing node says of its bundle and its agent. */
async function standing(name: string) {
  const found = await (await lab.fleet.admin()).explain(`Node/${name}`)
  return { digest: found?.view?.report?.bundles.applied?.digest, pid: lab.fleet.agentPid(name) }
}

test('ppn join, ppn pair, and a machine behind NAT is Ready over real WireGuard; nobody else notices', async () => {
  const before = { hub: await standing(HUB), office: await standing(OFFICE) }
  expect(before.office.digest).toMatch(/^[0-9a-f]{64}$/)
  const officePeers = await wg(OFFICE, 'allowed-ips')
  const hubPeers = (await wg(HUB, 'allowed-ips')).trim().split('\n')
  const probe = await startProbe(lab.network.host(OFFICE), '10.8.0.1')

  const begunMs = performance.now()
  const at = (what: string) => story.push(`${((performance.now() - begunMs) / 1000).toFixed(1).padStart(6)} s  ${what}`)
  lab.fleet.startAgent(LAPTOP)
  const join = ppn(LAPTOP, 'join', HOST, '--state-dir', lab.fleet.paths.agentState(LAPTOP))
  const { rendezvous, code } = await shownCode(join)
  at(`${LAPTOP}: ppn join ${HOST} shows rendezvous ${rendezvous} and code ${code}`)
  const pair = ppn(HUB, 'pair', '--node', LAPTOP)
  await pair.until(/rendezvous the machine shows/, { withinMs: LATE_MS })
  pair.write(`${rendezvous}\n${code}\n`)
  at(`${HUB}: ppn pair --node ${LAPTOP} was told both`)
  const digits = await shownDigits(join)
  at(`${LAPTOP}: shows digits ${digits.slice(0, 3)} ${digits.slice(3)}`)
  await pair.until(/digits on its screen/, { withinMs: LATE_MS })
  pair.write(`${digits}\n`)
  await pair.until(/digits here/, { withinMs: LATE_MS })
  at(`${HUB}: the operator has typed them, and reads out those here`)
  const confirmedMs = performance.now()
  join.write('yes\n')
  expect((await join.ended).code, join.output()).toBe(0)
  const resultMs = performance.now() - confirmedMs
  at(`${LAPTOP}: joined, ${resultMs.toFixed(0)} ms after the person said yes`)
  expect((await pair.ended).code, pair.output()).toBe(0)
  at(`${HUB}: ${pair.stdout().trim()}`)
  await nodeSays(lab.fleet, LAPTOP, 'Ready', 'Converged', LATE_MS)
  at(`${LAPTOP}: Ready by its telemetry, over WireGuard`)

  await inside(LAPTOP, 'ping', '-q', '-c', '1', '-W', '5', '10.8.0.10')
  at(`${LAPTOP}: reaches ${OFFICE} through the hub`)
  const lost = await probe.stop()
  story.push(`${OFFICE} to ${HUB} meanwhile: ${lost.sent} packets, ${lost.lost} lost`)
  expect(lost.sent).toBeGreaterThan(500)
  expect(lost.lost).toBe(0)

  // The hub has one peer more, what it had is as it was; the other spoke has not even another bundle.
  await becomes(LATE_MS, async () => (await wg(HUB, 'allowed-ips')).trim().split('\n').length === hubPeers.length + 1)
  const now = (await wg(HUB, 'allowed-ips')).trim().split('\n')
  for (const peer of hubPeers) expect(now).toContain(peer)
  expect(await wg(OFFICE, 'allowed-ips')).toBe(officePeers)
  const after = { hub: await standing(HUB), office: await standing(OFFICE) }
  expect(after.office).toEqual(before.office)
  expect(after.hub.pid).toBe(before.hub.pid)
  expect(after.hub.digest).not.toBe(before.hub.digest)
})

test('the address it was given is the one it uses, and the one its peers know', async () => {
  const admin = await lab.fleet.admin()
  const [node] = await admin.objects({ kind: 'Node', name: LAPTOP })
  const address = (node?.status as NodeStatus | undefined)?.address
  expect(address).toBe('10.8.0.2')
  expect(await inside(LAPTOP, 'ip', '-o', '-4', 'addr', 'show', 'dev', 'ppn0')).toContain(`inet ${address}/`)
  expect(await wg(HUB, 'allowed-ips')).toContain(`\t${address}/32\n`)
})
