// A machine's first start with real processes and real WireGuard, in namespaces on one segment: beacons on its broadcast
// address, everything closed but the holding port, a claim by two people at two terminals, and a machine that joins the
// authority it heard.
import type { ChildProcess } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { importBundle } from '../../../agent/bundles/import.ts'
import { initAgentKeys, publicHalves } from '../../../agent/keys/agent-keys.ts'
import type { Condition } from '../../../api/meta.ts'
import { connectAdmin } from '../../../authority/admin/client.ts'
import { diskFiles } from '../../../base/disk-files.ts'
import { runOk, systemProcesses } from '../../../base/processes.ts'
import { systemRandom } from '../../../base/random.ts'
import { type Capture, packetsIn, startCapture } from '../../lab/capture.ts'
import { endMarked, newMark, sweepOrphans } from '../../lab/marks.ts'
import { buildNetwork, type LabNetwork } from '../../lab/network.ts'
import { becomes } from '../../lab/ready.ts'
import { REPOSITORY } from '../../lab/repository.ts'
import { parseTopology } from '../../lab/topology.ts'

const processes = systemProcesses()
const root = mkdtempSync(join(tmpdir(), 'ppn-genesis-'))
const mark = newMark(true)
const RELAY = 'relay'
const RACK = 'rack-1'
const SHELF = 'shelf-1'
const PPN = [process.execPath, join(REPOSITORY, 'cli', 'main.ts')] as const
const state = join(root, 'authority')
const place = (host: string, name: string) => join(root, host, name)
const pcap = join(root, 'beacons.pcap')
const transcript: string[] = []
let network: LabNetwork
let beacons: Capture

const node = (name: string, spec: object) => ({
  apiVersion: 'ppn.dev/v1alpha1',
  kind: 'Node',
  metadata: { name },
  spec,
})

/** Starts `ppn ARG ...` on a host; what it says lies in `log`. */
function start(host: string, log: string, args: readonly string[]): ChildProcess {
  const out = openSync(log, 'a', 0o600)
  const [file, ...before] = PPN
  const child = network.host(host).spawn(file, [...before, ...args], { stdio: ['pipe', out, out] })
  closeSync(out)
  child.stdin?.on('error', () => {})
  return child
}

function startAgent(host: string, holding: object): void {
  mkdirSync(place(host, 'state'), { recursive: true, mode: 0o700 })
  const simulated = 'simulated'
  const drivers = { wireguard: 'real', vm: simulated, cgroup: simulated, image: simulated }
  const config = { state: place(host, 'state'), run: '/run/ppn', images: { folders: [root] }, drivers, holding }
  writeFileSync(place(host, 'agent.yaml'), stringify(config))
  start(host, place(host, 'log'), ['agent', '--config', place(host, 'agent.yaml')])
}

const text = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : '')
const screen = (host: string) => text(place(host, 'screen'))
/** The symbols that a screen shows behind a label, from the last time it stands there. */
const shown = (host: string, label: string, symbols: number) =>
  new RegExp(`${label} +((?:[0-9A-Z-] ?){${symbols}})`).exec(screen(host))?.[1]?.replaceAll(' ', '')
const address = (host: string) => network.link(host).address
const ready = (name: string) => async () => {
  const client = await connectAdmin(state)
  const [object] = (await client?.objects({ kind: 'Node', name })) ?? []
  const { conditions = [] } = (object?.status ?? {}) as { conditions?: Condition[] }
  return conditions.find(({ type }) => type === 'Ready')?.status === 'True'
}
/** Does a TCP connection from the relay come about within a second? */
async function reaches(host: string, port: number): Promise<boolean> {
  const program = `const s = require('net').connect(${port}, '${address(host)}')
    s.on('connect', () => process.exit(0)); s.on('error', () => process.exit(1)); setTimeout(() => process.exit(1), 1000)`
  const { exitCode } = await network.host(RELAY).processes.run(process.execPath, ['-e', program])
  return exitCode === 0
}
const told = (what: string, tookMs: number) => transcript.push(`${(tookMs / 1000).toFixed(1).padStart(6)} s  ${what}`)

beforeAll(async () => {
  await sweepOrphans()
  network = await buildNetwork({
    processes,
    mark,
    topology: parseTopology({
      segments: { lan: { cidr: '192.168.77.0/24' } },
      hosts: { [RELAY]: { segment: 'lan' }, [RACK]: { segment: 'lan' }, [SHELF]: { segment: 'lan' } },
      routers: {},
    }),
  })
  beacons = await startCapture(network.host(RACK), 'eth0', pcap, 'udp port 8090')
  mkdirSync(place(RELAY, 'state'), { recursive: true, mode: 0o700 })
  const identity = publicHalves(await initAgentKeys(diskFiles(place(RELAY, 'state')), systemRandom))
  mkdirSync(join(root, 'fleet'))
  const hub = { role: 'hub', site: 'onprem', endpoint: `${address(RELAY)}:51820`, identity }
  const fleet = [
    node(RELAY, hub),
    node(RACK, { role: 'spoke', site: 'onprem' }),
    node(SHELF, { role: 'spoke', site: 'onprem' }),
  ]
  writeFileSync(join(root, 'fleet', 'nodes.yaml'), fleet.map((one) => stringify(one)).join('---\n'))
  start(RELAY, join(root, 'authority.log'), [
    ...['up', join(root, 'fleet'), '--state', state, '--plain', '--metrics-port', '0', '--log-level', 'info'],
    ...['--beacon', 'eth0'],
  ])
  startAgent(RELAY, { enabled: false })
  await becomes(60_000, async () => {
    const { armored, fingerprint } = (await (await connectAdmin(state))?.bundle(RELAY)) ?? {}
    if (!armored || !fingerprint) return false
    await importBundle(diskFiles(place(RELAY, 'state')), armored, { authorityFingerprint: fingerprint })
    return true
  })
  await becomes(60_000, ready(RELAY))
})
afterAll(async () => {
  process.stdout.write(`\n${transcript.join('\n')}\n`)
  await endMarked(mark.id)
  rmSync(root, { recursive: true, force: true })
})

test('a machine that is closed holds, and is claimed by two people at two terminals', async () => {
  const rack = network.host(RACK)
  rack.spawn(process.execPath, ['-e', "require('net').createServer().listen(2222)"], { stdio: 'ignore' })
  await becomes(10_000, () => reaches(RACK, 2222))
  let begunMs = performance.now()
  startAgent(RACK, { closed: true, screens: [place(RACK, 'screen')] })
  await becomes(30_000, async () => screen(RACK).includes('every other port of this machine is closed'))
  await becomes(10_000, () => reaches(RACK, 9443))
  told('rack-1: from the start of its agent to holding, all else closed', performance.now() - begunMs)
  expect(await reaches(RACK, 2222)).toBe(false)
  expect(await runOk(rack.processes, 'nft', ['list', 'tables'])).toContain('inet ppn_holding')

  begunMs = performance.now()
  const operator = start(RELAY, join(root, 'claim.log'), ['claim', address(RACK), '--node', RACK, '--state', state])
  operator.stdin?.write(`${shown(RACK, 'code', 9)?.toLowerCase().replace('-', ' ')}\n`)
  const person = start(RACK, place(RACK, 'holding.log'), ['agent', 'holding', '--state-dir', place(RACK, 'state')])
  await becomes(30_000, async () => text(place(RACK, 'holding.log')).includes('same six digits?'))
  told('claim: to the digits on the machine', performance.now() - begunMs)
  operator.stdin?.write(`${/digits +(\d{3} \d{3})/.exec(screen(RACK))?.[1]}\n`)
  await becomes(30_000, async () => text(join(root, 'claim.log')).includes('digits here'))
  const spoken = performance.now()
  person.stdin?.write('yes\n')
  await becomes(30_000, async () => text(join(root, 'claim.log')).includes('Approved:'))
  told('claim: from the last word of a person to Approved', performance.now() - spoken)
  await becomes(60_000, ready(RACK))
  told('claim: from the last word of a person to Ready by telemetry', performance.now() - spoken)
  transcript.push(
    '',
    '$ ppn claim ... --node rack-1',
    text(join(root, 'claim.log')),
    '$ ppn agent holding',
    text(place(RACK, 'holding.log')),
  )

  await becomes(10_000, async () => !(await runOk(rack.processes, 'nft', ['list', 'tables'])).includes('ppn_holding'))
  expect(await reaches(RACK, 9443)).toBe(false)
  expect(await reaches(RACK, 2222)).toBe(true)
  expect(existsSync(place(RACK, 'screen'))).toBe(false)
  await runOk(rack.processes, 'ping', ['-n', '-c', '1', '-W', '5', '10.8.0.1'])
  expect(text(join(state, 'nodes.jsonl'))).toMatch(
    /"confirmedBy":"person".*"node":"rack-1"|"node":"rack-1".*"confirmedBy":"person"/,
  )
})

test('a machine that hears the beacon offers itself, and its operator pairs', async () => {
  const begunMs = performance.now()
  startAgent(SHELF, { confirm: 'trustCode', screens: [place(SHELF, 'screen')] })
  await becomes(30_000, async () => screen(SHELF).includes(`authority it found at ${address(RELAY)}:9202`))
  told('shelf-1: from the start of its agent to a beacon heard', performance.now() - begunMs)
  expect(await reaches(SHELF, 9443)).toBe(true)
  const operator = start(RELAY, join(root, 'pair.log'), ['pair', '--node', SHELF, '--state', state])
  const code = /rendezvous +(?:[0-9A-Z] ?){4}\s+code +((?:[0-9A-Z-] ?){9})/.exec(screen(SHELF))?.[1]
  operator.stdin?.write(`${shown(SHELF, 'rendezvous', 4)}\n${code?.replaceAll(' ', '')}\n`)
  await becomes(30_000, async () => /digits +\d{3} \d{3}/.test(screen(SHELF)))
  operator.stdin?.write(`${/digits +(\d{3} \d{3})/.exec(screen(SHELF))?.[1]}\n`)
  await becomes(60_000, ready(SHELF))
  told('shelf-1: from the start of its agent to Ready', performance.now() - begunMs)
  expect(text(join(state, 'nodes.jsonl'))).toContain('"trustCode"')
})

test('beacons are 16 bytes to the broadcast address of that one network', async () => {
  await beacons.stop()
  const heard = await packetsIn(processes, pcap, 'udp dst port 8090')
  expect(heard.length).toBeGreaterThan(1)
  expect(
    await packetsIn(processes, pcap, `udp dst port 8090 and not (dst host 192.168.77.255 and udp[4:2] = 24)`),
  ).toEqual([])
  transcript.push(`beacons heard at rack-1: ${heard.length}`)
})
