// Somebody has copied the whole state folder of a node: its keys, its bundle, its marks.

import { Registry } from 'prom-client'
import { afterEach, expect, test } from 'vitest'
import { lengthFrame } from '../../base/length-frames.ts'
import { OP, POWER } from '../../protocol/command/ops.ts'
import { type Fleet, startFleet } from '../fleet/harness.ts'
import { ending } from '../fleet/kill-points.ts'
import { office } from '../fleet/objects.ts'
import { addressOf, forge, refusals } from '../fleet/wire.ts'
import { speak, thiefOf } from './support/thief.ts'

let fleet: Fleet
let metrics: Registry
afterEach(() => fleet.stop())

async function ready(): Promise<void> {
  metrics = new Registry()
  fleet = await startFleet(office(), { authority: { metrics } })
  await fleet.untilReady()
}
async function discarded(reason: string): Promise<number> {
  const { values } = (await metrics.getSingleMetric('ppn_telemetry_discarded_total')?.get()) ?? { values: [] }
  return values.find(({ labels }) => labels.reason === reason)?.value ?? 0
}
const term = () => fleet.authority.world.authority.term()
const reportOf = (node: string) => {
  const report = fleet.nodes.get(node)?.report()
  if (!report) throw new Error(`${node} has no report`)
  return report
}

test('the thief can lie about that node, and a lie about another is not taken', async () => {
  await ready()
  const thief = await thiefOf(fleet, 'edge-1')
  const lie = { ...reportOf('edge-1'), agentVersion: '6.6.6' }
  await fleet.nodes.get('edge-1')?.kill('machine')
  // This is not defended: who has the keys of a node is that node, until it is severed.
  expect(await speak(fleet, addressOf(fleet, 'edge-1'), thief.frame(term(), lie))).toBe(true)
  const before = await discarded('BadTag')
  expect(await speak(fleet, addressOf(fleet, 'edge-2'), thief.frame(term(), reportOf('edge-2')))).toBe(false)
  expect(await discarded('BadTag')).toBe(before + 1)
})

test('the thief can command nobody: neither another node nor, from its own keys, the rest of the fleet', async () => {
  await ready()
  const thief = await thiefOf(fleet, 'edge-1')
  const end = ending(fleet)
  const [slot] = reportOf('edge-2').archives.map((archive) => archive.slot)
  const target = Number(addressOf(fleet, 'edge-2').split('.')[3])
  const before = refusals(fleet, 'edge-2').BadTag ?? 0
  const sequence = 0xffff_0000
  await forge(
    fleet,
    addressOf(fleet, 'edge-2'),
    thief.command(term(), { op: OP.POWER, target, slot: slot ?? 1, value: POWER.start, sequence }),
    thief.command(term(), { op: OP.SEVER, target, slot: 0, value: 1, sequence }),
    thief.command(term(), { op: OP.PING, target: 255, slot: 0, value: 0, sequence }),
  )
  await fleet.clock.advance(5_000)
  expect(refusals(fleet, 'edge-2').BadTag).toBe(before + 3)
  expect(ending(fleet)).toEqual(end)
})

test('the thief learns of its neighbours what one bundle says: the hub, and no key but public ones', async () => {
  await ready()
  const thief = await thiefOf(fleet, 'edge-1')
  expect(thief.content.peers.map(({ name }) => name)).toEqual(['relay'])
  const text = Buffer.from(thief.raw).toString('latin1')
  for (const node of ['relay', 'edge-2'])
    for (const key of ['wireguard', 'command', 'signing']) {
      const secret = fleet.nodeFiles(node).get(`agent/keys/${key}`) as Uint8Array
      expect(text).not.toContain(Buffer.from(secret).toString('base64'))
    }
})

test('severing ends it: no frame under its keys is read, and its keys enrol under no name', async () => {
  await ready()
  const thief = await thiefOf(fleet, 'edge-1')
  const lie = reportOf('edge-1')
  await fleet.authority.serving.downlink()?.commands.sever('edge-1')
  const address = thief.content.node.address
  await fleet.until(() => fleet.condition('Node', 'edge-1')?.reason === 'Severed', 60_000)
  expect(await speak(fleet, address, thief.frame(term(), lie))).toBe(false)
  expect(fleet.condition('Node', 'edge-1')?.reason).toBe('Severed')
  expect(fleet.condition('Node', 'edge-2')?.status).toBe('True')
})

test('a node whose keys are stolen cannot make the authority keep more of it than a report may hold', async () => {
  await ready()
  const thief = await thiefOf(fleet, 'edge-1')
  const report = reportOf('edge-1')
  const address = addressOf(fleet, 'edge-1')
  await fleet.nodes.get('edge-1')?.kill('machine')
  const before = await discarded('BadFrame')
  const line = await fleet.network.transport().connect(address, '10.8.0.1', 8091, new AbortController().signal)
  line.stream.on('error', () => {})
  line.stream.resume()
  line.stream.write(lengthFrame(thief.frame(term(), report)))
  const reasons = (n: number) => Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`R${n}x${i}`, 1]))
  for (let n = 0; n < 6; n++) {
    line.stream.write(lengthFrame(thief.delta(term(), { refusals: reasons(n) })))
    await fleet.clock.advance(500)
  }
  expect(await discarded('BadFrame')).toBe(before + 1)
  line.destroy()
})
