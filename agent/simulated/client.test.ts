// Real processes on real sockets; 127.83.0.0/16 belongs to this file.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../base/clock.ts'
import { silentLogger } from '../../base/log.ts'
import { loopbackTransport } from '../../base/loopback-transport.ts'
import { OP } from '../../protocol/command/ops.ts'
import { fakeAuthority } from '../../testing/fake-authority.ts'
import { type Simulation, type SimulationOptions, startSimulation } from './client.ts'
import { startHostProcess } from './host-process.ts'

const HUB = '10.83.0.1'
const EDGE = '10.83.0.2'
const ENDPOINT = 'relay.example:51820'
const clock = systemClock()

let folder: string
const running: { stop(): Promise<void> }[] = []
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'ppn-simulation-'))
})
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop()
  await rm(folder, { recursive: true })
})

async function simulate(more: Partial<SimulationOptions> = {}): Promise<Simulation> {
  const simulation = await startSimulation({
    folder,
    nodes: [
      { name: 'relay', address: HUB, endpoint: ENDPOINT },
      { name: 'edge', address: EDGE },
    ],
    log: silentLogger(),
    signal: new AbortController().signal,
    ...more,
  })
  running.push(simulation)
  return simulation
}

/** Waits for what comes over real sockets. */
async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  const limit = clock.monotonic() + 40_000
  while (!(await check())) {
    if (clock.monotonic() > limit) throw new Error(`never: ${what}`)
    await clock.sleep(20)
  }
}

const isRunning = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** The authority of one node, beside the hub. */
async function authorityOf(simulation: Simulation, name: string, address: string, role: 'hub' | 'spoke') {
  const identity = await simulation.identity(name)
  const authority = fakeAuthority({
    clock,
    random: (n) => new Uint8Array(randomBytes(n)),
    transport: loopbackTransport({ firstOctet: 10 }),
    // The hub's own authority speaks from another address: two sockets cannot share one port.
    address: role === 'hub' ? '10.83.0.250' : HUB,
    node: { name, address, role, identity },
  })
  return authority
}

/** Relay and edge in one mesh; the authority of the edge speaks from the relay's address. */
async function mesh(simulation: Simulation) {
  const [relay, edge] = [await simulation.identity('relay'), await simulation.identity('edge')]
  const peer = (name: string, publicKey: string, address: string) => ({
    nodeId: (name === 'relay' ? 'a' : 'b').repeat(32),
    name,
    publicKey,
    allowedIPs: [`${address}/32`],
    keepaliveSeconds: name === 'relay' ? 25 : 0,
    hub: name === 'relay',
    ...(name === 'relay' && { endpoint: ENDPOINT }),
  })
  // Commands of its own the relay needs none; its port is then the authority's to send from.
  const ports = { wireguard: 51820, command: 18090, telemetry: 18091, sync: 18092, pairing: 9202, holding: 9443 }
  const forRelay = await authorityOf(simulation, 'relay', HUB, 'hub')
  const forEdge = await authorityOf(simulation, 'edge', EDGE, 'spoke')
  const cidr = '10.83.0.0/24'
  const base = forRelay.content().mesh
  await simulation.import(
    'relay',
    forRelay.armored({
      revision: 1,
      switch: 'onReceipt',
      content: { mesh: { ...base, cidr, ports }, peers: [peer('edge', edge.wireguardPublicKey, EDGE)] },
    }),
    forRelay.fingerprint,
  )
  await forEdge.start()
  running.push(forEdge)
  await simulation.import(
    'edge',
    forEdge.armored({
      revision: 1,
      switch: 'onReceipt',
      content: { mesh: { ...base, cidr }, peers: [peer('relay', relay.wireguardPublicKey, HUB)] },
    }),
    forEdge.fingerprint,
  )
  return forEdge
}

test('two nodes in processes of their own join over real sockets, one is killed, and the other goes on', async () => {
  const simulation = await simulate()
  expect(simulation.pid('relay')).not.toBe(simulation.pid('edge'))
  const authority = await mesh(simulation)
  await until('telemetry', () => authority.report()?.peers[0]?.path === 'Direct')
  await authority.send(OP.PING)
  await until('the mark of a PING', () => authority.report()?.marks.length === 1)

  await simulation.kill('edge')
  expect(await simulation.alive('edge')).toBe(false)
  expect(await simulation.report('edge')).toBeUndefined()
  expect(await simulation.alive('relay')).toBe(true)
  const heard = authority.frames.length
  await simulation.restart('edge')
  await until('telemetry of the restarted agent', () => authority.frames.length > heard)
  expect(authority.report()?.marks).toHaveLength(1)

  await simulation.cutTelemetry('edge', true)
  await until('nothing under way', async () => {
    const before = authority.frames.length
    await clock.sleep(200)
    return authority.frames.length === before
  })
  const silent = authority.frames.length
  await authority.send(OP.PING)
  await clock.sleep(300)
  expect(authority.frames.length).toBe(silent)
  await simulation.cutTelemetry('edge', false)
  await until('telemetry again', () => authority.frames.length > silent)
})

test('a process that was killed is one node gone, and a restart brings it back with its identity', async () => {
  const simulation = await simulate()
  const identity = await simulation.identity('edge')
  process.kill(simulation.pid('edge') as number, 'SIGKILL')
  await until('the end of the process', async () => !(await simulation.alive('edge')))
  await expect(simulation.identity('edge')).rejects.toMatchObject({ code: 'SimulatedHostGone' })
  expect(await simulation.alive('relay')).toBe(true)
  await simulation.restart('edge')
  expect(await simulation.identity('edge')).toEqual(identity)
})

test('a process that was killed starts again by itself, says so, and its node is the one it was', async () => {
  const said: string[] = []
  const simulation = await simulate({ onEnd: (nodes, why) => said.push(`${nodes} ${JSON.stringify(why)}`) })
  const identity = await simulation.identity('edge')
  const killed = simulation.pid('edge') as number
  process.kill(killed, 'SIGKILL')
  await until('the node lives again', async () => simulation.pid('edge') !== killed && (await simulation.alive('edge')))
  expect(await simulation.identity('edge')).toEqual(identity)
  expect(said).toEqual(['edge {"pauseMs":1000}'])
})

test('a node dismissed stays away when its process ends, and comes back when it is added', async () => {
  const simulation = await simulate()
  const identity = await simulation.identity('edge')
  await simulation.dismiss('edge')
  const killed = simulation.pid('edge') as number
  process.kill(killed, 'SIGKILL')
  await until('the process is there again', () => simulation.names().join() === 'relay')
  await simulation.add({ name: 'edge', address: EDGE })
  expect(await simulation.alive('edge')).toBe(true)
  expect(await simulation.identity('edge')).toEqual(identity)
  await simulation.dismiss('edge')
  await simulation.add({ name: 'edge', address: EDGE })
  expect(await simulation.alive('edge')).toBe(true)
})

test('a large fleet shares processes, and a later run finds its nodes as they were', async () => {
  const nodes = Array.from({ length: 10 }, (_, i) => ({ name: `n${i}`, address: `10.83.1.${i + 1}` }))
  const first = await simulate({ nodes, perProcess: 4 })
  expect(new Set(nodes.map(({ name }) => first.pid(name))).size).toBe(3)
  const before = await Promise.all(nodes.map(({ name }) => first.identity(name)))
  const pids = nodes.map(({ name }) => first.pid(name) as number)
  await first.stop()
  expect(pids.filter(isRunning)).toEqual([])
  const second = await simulate({ nodes, perProcess: 10 })
  expect(await Promise.all(nodes.map(({ name }) => second.identity(name)))).toEqual(before)
})

test('a node added later lives like the others, and the world keeps where a machine first stood', async () => {
  const simulation = await simulate({ nodes: [] })
  await simulation.add({ name: 'relay', address: HUB, endpoint: ENDPOINT })
  await simulation.add({ name: 'relay', address: HUB, endpoint: 'elsewhere.example:51820' })
  expect(simulation.names()).toEqual(['relay'])
  await simulation.stop()
  await simulate({ nodes: [{ name: 'relay', address: HUB, endpoint: 'wrong.example:51820' }] })
  expect(JSON.parse(await readFile(path.join(folder, 'world.json'), 'utf8'))).toEqual({ [ENDPOINT]: HUB })
})

test('errors of a node arrive with their code, and an unknown node is named', async () => {
  const simulation = await simulate()
  const authority = await authorityOf(simulation, 'edge', EDGE, 'spoke')
  const text = authority.armored({ revision: 1 })
  await expect(simulation.import('edge', text)).rejects.toMatchObject({ code: 'AuthorityFingerprintNeeded' })
  await expect(simulation.import('edge', text, 'SHA256:wrong')).rejects.toMatchObject({
    code: 'AuthorityFingerprintDiffers',
  })
  await expect(simulation.identity('nobody')).rejects.toMatchObject({ code: 'SimulatedNodeUnknown' })
  await expect(simulation.guest('edge', 'cluster-totebox-nobody-1', {})).rejects.toThrow('no archive')
})

test('an aborted signal ends the processes', async () => {
  const ending = new AbortController()
  const simulation = await simulate({ signal: ending.signal })
  const pid = simulation.pid('edge') as number
  ending.abort()
  await until('the end of the process', () => !isRunning(pid))
})

test('a host ignores the Ctrl-C of a terminal and ends when its input does', async () => {
  const host = startHostProcess({ logFile: path.join(folder, 'host.log'), logLevel: 'info' })
  await expect(host.call('nobody', 'identity', [])).rejects.toMatchObject({ code: 'SimulatedNodeUnknown' })
  process.kill(host.pid as number, 'SIGINT')
  await expect(host.call('nobody', 'identity', [])).rejects.toMatchObject({ code: 'SimulatedNodeUnknown' })
  await host.stop()
  expect(isRunning(host.pid as number)).toBe(false)
})

test('a host does not outlive a parent that was killed', async () => {
  const script = `
    import { startHostProcess } from ${JSON.stringify(new URL('./host-process.ts', import.meta.url).href)}
    const host = startHostProcess({ logFile: ${JSON.stringify(path.join(folder, 'host.log'))}, logLevel: 'info' })
    await host.call('nobody', 'identity', []).catch(() => {})
    console.log(host.pid)
  `
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(parent.stdout, 'data')) as [Buffer]
  const pid = Number(line)
  expect(isRunning(pid)).toBe(true)
  parent.kill('SIGKILL')
  await until('the end of the host', () => !isRunning(pid))
})
