// The whole fleet of examples/office over real WireGuard, both spokes behind NAT, and what happens to it. One lab for
// all: it is built once, and the one test that needs minutes of real time lets the others run meanwhile.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { NodeStatus } from '../../../api/v1alpha1/node.ts'
import { runOk, systemProcesses } from '../../../base/processes.ts'
import { type Capture, packetsIn, startCapture } from '../../lab/capture.ts'
import { type Lab, startLab } from '../../lab/lab.ts'
import { startProbe } from '../../lab/probe.ts'
import { becomes, fleetReady, nodeSays } from '../../lab/ready.ts'
import { type Recovery, recoveryTable } from '../../lab/report.ts'
import { REPOSITORY } from '../../lab/repository.ts'

const processes = systemProcesses()
const root = mkdtempSync(join(tmpdir(), 'ppn-lab-'))
const pcap = (name: string) => join(root, `${name}.pcap`)
const [HUB, OFFICE, LAPTOP] = ['relay', 'office-1', 'laptop-1']
const MESH = { [HUB]: '10.8.0.1', [OFFICE]: '10.8.0.10', [LAPTOP]: '10.8.0.2' } as const
const events: Recovery[] = []
const underlay: Capture[] = []
let lab: Lab
let cutAtMs: number

const inside = (host: string, program: string, ...args: string[]) =>
  runOk(lab.network.host(host).processes, program, args)
const wg = (host: string, what: string) => inside(host, 'wg', 'show', 'ppn0', what)
/** Public key of a node, as its own interface has it. */
const keyOf = async (node: string) => (await wg(node, 'public-key')).trim()
const fromOfficeToHub = () => startProbe(lab.network.host(OFFICE), MESH[HUB] as string)
const edit = (file: string, change: (text: string) => string) => {
  const path = join(lab.fleet.paths.fleet, file)
  writeFileSync(path, change(readFileSync(path, 'utf8')))
}

beforeAll(async () => {
  const begunMs = performance.now()
  lab = await startLab({
    processes,
    folder: join(root, 'lab'),
    fleet: join(REPOSITORY, 'examples', 'office'),
    owned: true,
    beforeFleet: async (network) => {
      for (const link of [HUB, OFFICE, LAPTOP]) underlay.push(await network.capture(link, pcap(link)))
    },
  })
  await fleetReady(lab.fleet)
  events.push({ what: 'three nodes from nothing to Ready', tookMs: performance.now() - begunMs })
})
afterAll(async () => {
  process.stdout.write(`\n${recoveryTable(events)}\n`)
  await lab?.end()
  rmSync(root, { recursive: true, force: true })
})

test('commands, bundles and telemetry travel inside the tunnel; outside there is nothing but WireGuard', async () => {
  const overlay = await startCapture(lab.network.host(HUB), 'ppn0', pcap('overlay'))
  // A declaration that takes a bundle and a command: weight is told by one, memory by both.
  edit('archives/archives.yaml', (text) => text.replace('weight: 300', 'weight: 400').replace('max: 2Gi', 'max: 1Gi'))
  const shown = async (filter: string) => (await packetsIn(processes, pcap('overlay'), filter)).length > 0
  for (const filter of ['udp dst port 8090', 'tcp dst port 8092', 'tcp dst port 8091'])
    await becomes(60_000, () => shown(filter))
  await overlay.stop()
  await fleetReady(lab.fleet)
  for (const capture of underlay) {
    await capture.stop()
    const packets = await packetsIn(processes, capture.file, 'ip and udp port 51820')
    expect(packets.length).toBeGreaterThan(20)
    // The kernel's own: who has this address, and that nobody listens yet at the port of a hub that is starting.
    const kernel = 'arp or icmp[icmptype] = icmp-unreach'
    expect(await packetsIn(processes, capture.file, `not (${kernel}) and not (ip and udp port 51820)`)).toEqual([])
  }
})

test('both spokes are seen at their routers, and reach each other through the hub', async () => {
  const endpoints = await wg(HUB, 'endpoints')
  for (const spoke of [OFFICE, LAPTOP])
    expect(endpoints).toMatch(
      new RegExp(`^${literal(await keyOf(spoke))}\t${lab.network.link(`${spoke}-router`).address}:`, 'm'),
    )
  await inside(LAPTOP, 'ping', '-n', '-c', '1', '-W', '5', MESH[OFFICE] as string)
})

test('the hub passes commands on from the authority alone', async () => {
  const heard = await startCapture(lab.network.host(OFFICE), 'ppn0', pcap('commands'), 'udp dst port 8090')
  const send = `const s = require('dgram').createSocket('udp4')
    const to = [8090, 8093], next = () => to.length ? s.send(Buffer.alloc(16), to.pop(), '${MESH[OFFICE]}', next) : s.close(); next()`
  const other = await startCapture(lab.network.host(OFFICE), 'ppn0', pcap('other'), 'udp dst port 8093')
  await inside(LAPTOP, process.execPath, '-e', send)
  await becomes(10_000, async () => (await packetsIn(processes, pcap('other'))).length > 0)
  await Promise.all([heard.stop(), other.stop()])
  const fromLaptop = await packetsIn(processes, pcap('commands'), `src host ${MESH[LAPTOP]}`)
  expect(fromLaptop).toEqual([])
})

test('a reconcile that has nothing to do loses no packet', async () => {
  const probe = await fromOfficeToHub()
  edit('nodes/office-1.yaml', (text) => `${text}\n# nothing\n`)
  // Longer than the 10 s after which every agent looks at its interface again.
  await sleep(22_000)
  await fleetReady(lab.fleet)
  const result = await probe.stop()
  events.push({ what: 'no-op reconcile', probe: result })
  expect(result.sent).toBeGreaterThan(5_000)
  expect(result.lost).toBe(0)
})

test('a peer that is added costs the others nothing', async () => {
  const probe = await fromOfficeToHub()
  const key = () => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
  writeFileSync(
    join(lab.fleet.paths.fleet, 'nodes', 'late-1.yaml'),
    `apiVersion: ppn.dev/v1alpha1
kind: Node
metadata:
  name: late-1
spec:
  role: spoke
  site: onprem
  address: 10.8.0.99
  identity:
    wireguardPublicKey: ${key()}
    commandPublicKey: ${key()}
    signingPublicKey: ${key()}
`,
  )
  const tookMs = await becomes(30_000, async () => /10\.8\.0\.99\/32/.test(await wg(HUB, 'allowed-ips')))
  await sleep(1_000)
  const result = await probe.stop()
  events.push({ what: 'a peer added', probe: result, tookMs, note: 'on the hub' })
  expect(result.lost).toBe(0)
  rmSync(join(lab.fleet.paths.fleet, 'nodes', 'late-1.yaml'))
  await becomes(60_000, async () => !/10\.8\.0\.99\/32/.test(await wg(HUB, 'allowed-ips')))
  await fleetReady(lab.fleet)
})

test('the link of a node is cut: it is Unknown after a minute, whatever it was', async () => {
  cutAtMs = performance.now()
  await lab.network.cut(LAPTOP)
  const tookMs = await nodeSays(lab.fleet, LAPTOP, 'Connected', 'Silent', 120_000)
  events.push({ what: 'link cut', tookMs, note: 'until Unknown; the window is 60 s' })
})

test('a peer removed by hand is put back, and the other one is left alone', async () => {
  const probe = await fromOfficeToHub()
  const laptop = await keyOf(LAPTOP)
  await inside(HUB, 'wg', 'set', 'ppn0', 'peer', laptop, 'remove')
  const tookMs = await becomes(30_000, async () => (await wg(HUB, 'peers')).includes(laptop))
  const result = await probe.stop()
  events.push({ what: 'another peer removed by hand', probe: result, tookMs, note: 'the probe is of its neighbour' })
  expect(result.lost).toBe(0)

  const own = await fromOfficeToHub()
  await inside(HUB, 'wg', 'set', 'ppn0', 'peer', await keyOf(OFFICE), 'remove')
  await becomes(30_000, async () => (await wg(HUB, 'allowed-ips')).includes(`${MESH[OFFICE]}/32`))
  await pings(OFFICE, HUB)
  events.push({ what: 'peer removed by hand', probe: await own.stop(), note: 'the probe is its own' })
})

test("the hub's agent is killed: the tunnels carry on without it, and it finds them again", async () => {
  const probe = await fromOfficeToHub()
  process.kill(lab.fleet.agentPid(HUB) as number, 'SIGKILL')
  await becomes(10_000, async () => lab.fleet.agentPid(HUB) === undefined)
  lab.fleet.startAgent(HUB)
  const tookMs = await newBoot(HUB)
  const result = await probe.stop()
  events.push({ what: "hub's agent killed and restarted", probe: result, tookMs })
  expect(result.lost).toBe(0)
})

test("the hub's WireGuard device is destroyed under its agent, which makes it again with all it knew", async () => {
  const probe = await fromOfficeToHub()
  await inside(HUB, 'ip', 'link', 'del', 'ppn0')
  await pings(OFFICE, HUB)
  await sleep(500)
  const result = await probe.stop()
  events.push({ what: "hub's WireGuard device destroyed", probe: result })
  expect(result.lost).toBeGreaterThan(0)
  await bothReady()
})

test('the hub loses agent and device together, as in a power cut: endpoints are remembered', async () => {
  const probe = await fromOfficeToHub()
  process.kill(lab.fleet.agentPid(HUB) as number, 'SIGKILL')
  await inside(HUB, 'ip', 'link', 'del', 'ppn0')
  await becomes(10_000, async () => lab.fleet.agentPid(HUB) === undefined)
  lab.fleet.startAgent(HUB)
  await pings(OFFICE, HUB)
  await sleep(500)
  events.push({
    what: 'hub killed with its device, restarted',
    probe: await probe.stop(),
    note: 'agent start included',
  })
  await bothReady()
})

test('a bad bundle is reverted within its minute, said so, and what mends it is taken', async () => {
  const begunMs = performance.now()
  // The hub moves to a port at which nobody looks for it: its endpoint says another.
  edit('mesh.yaml', (text) => `${text}  ports:\n    wireguard: 51821\n`)
  await Promise.all([HUB, OFFICE].map((node) => nodeSays(lab.fleet, node, 'ConfigApplied', /Reverted/, 150_000)))
  events.push({ what: 'a bad bundle', tookMs: performance.now() - begunMs, note: 'until reverted and heard of' })
  await pings(OFFICE, HUB)
  edit('mesh.yaml', (text) => text.slice(0, text.indexOf('  ports:')))
  await bothReady()
})

test('a link that was cut for over 200 s heals: the node is back without help', async () => {
  await sleep(Math.max(0, 205_000 - (performance.now() - cutAtMs)))
  const cutMs = performance.now() - cutAtMs
  const { paths } = await statusOf(HUB)
  expect(paths?.find((p) => p.peer === LAPTOP)).toMatchObject({ path: 'Down' })
  const healedMs = performance.now()
  await lab.network.heal(LAPTOP)
  await pings(LAPTOP, HUB)
  const pathMs = performance.now() - healedMs
  await nodeSays(lab.fleet, LAPTOP, 'Connected', /^(?!Silent)/, 150_000)
  await fleetReady(lab.fleet)
  const tookMs = performance.now() - healedMs
  const note = `tunnel after ${(pathMs / 1000).toFixed(1)} s, Ready after the rest`
  events.push({ what: `link cut for ${(cutMs / 1000).toFixed(0)} s, healed`, tookMs, note })
})

test('an agent is small', () => {
  const figures = [HUB, OFFICE, LAPTOP].map((node) => {
    const status = readFileSync(`/proc/${lab.fleet.agentPid(node)}/status`, 'utf8')
    return Number(/^VmRSS:\s+([0-9]+) kB/m.exec(status)?.[1]) / 1024
  })
  events.push({ what: 'agent memory (RSS)', note: figures.map((mib) => `${mib.toFixed(0)} MiB`).join(', ') })
  expect(Math.max(...figures)).toBeLessThan(200)
})

const literal = (text: string) => text.replace(/[+/]/g, '\\$&')

/** A packet gets through, sooner or later. */
async function pings(from: string, to: string): Promise<void> {
  const { processes: host } = lab.network.host(from)
  await becomes(120_000, async () => {
    const { exitCode } = await host.run('ping', ['-n', '-c', '1', '-W', '1', MESH[to] as string])
    return exitCode === 0
  })
}

/** While the third one is cut off. */
async function bothReady(): Promise<void> {
  for (const node of [HUB, OFFICE]) await nodeSays(lab.fleet, node, 'Ready', 'Converged')
}

async function statusOf(node: string): Promise<NodeStatus> {
  const [object] = await (await lab.fleet.admin()).objects({ kind: 'Node', name: node })
  if (!object) throw new Error(`there is no node ${node}`)
  return object.status as NodeStatus
}

/** The authority has heard an agent that began after now. */
async function newBoot(node: string): Promise<number> {
  const before = (await statusOf(node)).bootId
  return await becomes(60_000, async () => {
    const { bootId, conditions } = await statusOf(node)
    return bootId !== before && conditions.some((c) => c.type === 'Ready' && c.status === 'True')
  })
}
