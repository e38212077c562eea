// Telemetry of a node as somebody recorded it: played again, held back, or sent from another node's address.
import { afterEach, expect, test } from 'vitest'
import { type Fleet, startFleet } from '../fleet/harness.ts'
import { office } from '../fleet/objects.ts'
import { AUTHORITY, addressOf, PORT } from '../fleet/wire.ts'
import { speak, thiefOf } from './support/thief.ts'

let fleet: Fleet
afterEach(() => fleet.stop())

const connected = (node: string) => fleet.condition('Node', node, 'Connected')?.status
/** Everything that this node ever said at the telemetry port, as it was written. */
const recorded = (node: string) =>
  fleet.network.segments
    .filter(({ from, to, port }) => from === addressOf(fleet, node) && to === AUTHORITY && port === PORT.telemetry)
    .map(({ bytes }) => bytes)

async function play(from: string, pieces: readonly Uint8Array[]): Promise<void> {
  const line = await fleet.network.transport().connect(from, AUTHORITY, PORT.telemetry, new AbortController().signal)
  line.stream.on('error', () => {})
  line.stream.resume()
  for (const piece of pieces) line.stream.write(piece)
  await fleet.clock.advance(1_000)
  line.destroy()
}

test('a recording of a machine that is gone makes nobody believe that it is there', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const pieces = recorded('edge-1')
  expect(connected('edge-1')).toBe('True')
  expect(Buffer.concat(pieces).length).toBeGreaterThan(1_000)
  await fleet.nodes.get('edge-1')?.kill('machine')
  const address = addressOf(fleet, 'edge-1')
  await play(address, pieces)
  await fleet.clock.advance(90_000)
  expect(connected('edge-1')).not.toBe('True')
  await play(address, pieces)
  expect(connected('edge-1')).not.toBe('True')
})

test('nor does it after a restart of the authority, nor to the authority of a later term', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const address = addressOf(fleet, 'edge-1')
  const pieces = recorded('edge-1')
  await fleet.nodes.get('edge-1')?.kill('machine')
  for (let starts = 0; starts < 3; starts++) {
    await fleet.restartAuthority()
    // What it said of the relay before its end is True still; that it serves is new.
    await fleet.until(() => fleet.authority.serving.downlink() !== undefined)
    await fleet.until(() => fleet.condition('Node', 'relay')?.status === 'True')
    await play(address, pieces)
    await fleet.clock.advance(5_000)
    expect(connected('edge-1')).not.toBe('True')
  }
})

test('telemetry that a hub holds back for minutes does not pass for fresh when it comes', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const heal = fleet.network.rules.cut(addressOf(fleet, 'edge-1'), AUTHORITY)
  await fleet.clock.advance(180_000)
  await fleet.nodes.get('edge-1')?.kill('machine')
  expect(connected('edge-1')).not.toBe('True')
  heal()
  await fleet.clock.advance(20_000)
  expect(connected('edge-1')).not.toBe('True')
})

test('one node does not speak for another, though both have good keys and the hub lends the address', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  const thief = await thiefOf(fleet, 'edge-1')
  const report = fleet.nodes.get('edge-2')?.report()
  const term = fleet.authority.world.authority.term()
  if (!report) throw new Error('no report')
  const address = addressOf(fleet, 'edge-2')
  await fleet.nodes.get('edge-2')?.kill('machine')
  await fleet.clock.advance(90_000)
  expect(await speak(fleet, address, thief.frame(term, report))).toBe(false)
  expect(connected('edge-2')).not.toBe('True')
})
