// The networks themselves, before anything of ppn runs on them: NAT, cuts, loss, capture.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { systemProcesses } from '../../../base/processes.ts'
import { packetsIn } from '../../lab/capture.ts'
import { endMarked, newMark, sweepOrphans } from '../../lab/marks.ts'
import { buildNetwork, type LabNetwork, openNetwork } from '../../lab/network.ts'
import { parseTopology } from '../../lab/topology.ts'

const processes = systemProcesses()
const mark = newMark(true)
const folder = mkdtempSync(join(tmpdir(), 'ppn-lab-'))
let network: LabNetwork

beforeAll(async () => {
  await sweepOrphans()
  network = await buildNetwork({
    processes,
    mark,
    topology: parseTopology({
      segments: {
        internet: { cidr: '198.51.100.0/24', cidr6: '2001:db8::/64' },
        office: { cidr: '192.168.10.0/24', cidr6: '2001:db8:10::/64' },
        home: { cidr: '192.168.20.0/24' },
      },
      hosts: {
        relay: { segment: 'internet', names: ['relay.example'] },
        other: { segment: 'internet' },
        'office-1': { segment: 'office' },
        'office-2': { segment: 'office' },
        laptop: { segment: 'home' },
      },
      routers: {
        'office-router': { inside: 'office', outside: 'internet' },
        'home-router': { inside: 'home', outside: 'internet', nat: 'symmetric' },
      },
    }),
  })
})
afterAll(async () => {
  await endMarked(mark.id)
  rmSync(folder, { recursive: true, force: true })
})

const ping = async (from: string, to: string, ...more: string[]) =>
  (await network.host(from).processes.run('ping', ['-n', '-q', '-c', '1', '-W', '1', ...more, to])).exitCode === 0

/** Sends a datagram from port 5000 of `from` to each address; returns whom they seem to come from. */
async function seenAs(from: string, ...to: string[]): Promise<string[]> {
  const file = join(folder, `${from}.pcap`)
  const capture = await network.capture(`${from === 'laptop' ? 'home' : 'office'}-router`, file, 'udp dst port 7000')
  const program = `const s = require('dgram').createSocket('udp4'); s.bind(5000, () => {
    let left = ${to.length}
    for (const a of ${JSON.stringify(to)}) s.send('x', 7000, a, () => { if (--left === 0) s.close() }) })`
  await network.host(from).processes.run(process.execPath, ['-e', program])
  await capture.stop()
  return (await packetsIn(processes, file)).map((line) => / IP (\S+) > /.exec(line)?.[1] ?? line)
}

test('who is behind a router reaches the internet by name, and nobody reaches back in', async () => {
  expect(await ping('office-1', 'relay.example')).toBe(true)
  expect(await ping('office-1', network.link('office-2').address)).toBe(true)
  expect(await ping('relay', network.link('office-1').address)).toBe(false)
  const { processes: relay } = network.host('relay')
  await relay.run('ip', ['route', 'add', '192.168.10.0/24', 'via', network.link('office-router').address])
  expect(await ping('relay', network.link('office-1').address)).toBe(false)
})

test('IPv6 is routed to who is behind a router, and nobody begins from outside', async () => {
  const [relay, office] = ['relay', 'office-1'].map((name) => network.link(name).address6 as string)
  expect(await ping('office-1', relay as string)).toBe(true)
  expect(await ping('office-1', network.link('office-2').address6 as string)).toBe(true)
  expect(await ping('relay', office as string)).toBe(false)
  expect(network.link('laptop').address6).toBe(undefined)
})

test('a plain NAT shows one port to everybody, a symmetric one another to each', async () => {
  const both = [network.link('relay').address, network.link('other').address]
  const office = network.link('office-router').address
  expect(await seenAs('office-1', ...both)).toEqual([`${office}.5000`, `${office}.5000`])
  const [one, two] = await seenAs('laptop', ...both)
  expect(one).toMatch(network.link('home-router').address)
  expect(one).not.toBe(two)
})

test('a cut link passes nothing, says so, and is healed, also from another process', async () => {
  await network.cut('office-1')
  expect(await network.cuts()).toEqual(['office-1'])
  expect(await ping('office-1', network.link('office-2').address)).toBe(false)
  expect(await ping('office-2', 'relay.example')).toBe(true)
  const again = openNetwork(JSON.parse(JSON.stringify(network.record())), { processes, mark })
  expect(await again.cuts()).toEqual(['office-1'])
  await again.heal('office-1')
  expect(await network.cuts()).toEqual([])
  expect(await ping('office-1', network.link('office-2').address)).toBe(true)
})

test('a lossy link loses about its share', async () => {
  await network.impair('office-1', { lossPercent: 30 })
  const args = ['-n', '-q', '-c', '400', '-i', '0.002', '-W', '1', network.link('office-2').address]
  const { stdout } = await network.host('office-1').processes.run('ping', args, { timeoutMs: 60_000 })
  await network.heal('office-1')
  // There and back: 1 - 0.7 * 0.7 = 51 %; six standard deviations are 15 points.
  const lost = Number(/([0-9.]+)% packet loss/.exec(stdout)?.[1])
  expect(lost).toBeGreaterThan(36)
  expect(lost).toBeLessThan(66)
})

test('a link delays where the kernel can, and says what is missing where it cannot', async () => {
  const delayed = await network.impair('office-2', { delayMs: 100 }).catch((error: Error) => error)
  if (delayed instanceof Error) expect(delayed.message).toContain('no netem')
  else {
    const { stdout } = await network
      .host('office-1')
      .processes.run('ping', ['-c', '1', network.link('office-2').address])
    expect(Number(/time=([0-9.]+)/.exec(stdout)?.[1])).toBeGreaterThan(199)
    await network.impair('office-2', {})
  }
})

test('a name that is not there is answered with those that are', () => {
  expect(() => network.host('nobody')).toThrow('hosts: relay, other, office-1')
  expect(() => network.link('office')).toThrow('office-router:internet')
})
