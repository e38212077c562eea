// The laws of the design over a whole fleet. What each test breaks on purpose is said in docs/laws.md.
import { afterEach, expect, test } from 'vitest'
import { OP } from '../../protocol/command/ops.ts'
import { type Fleet, startFleet } from './harness.ts'
import { archive, hub, office, pool, spoke } from './objects.ts'

let fleet: Fleet
afterEach(() => fleet.stop())

const COMMAND_PORT = 8090
const SYNC_PORT = 8092
/** Commands put on the wire since `mark`, PING and APPLY included, copies not: [target, op]. */
const commandsSince = (mark: number) =>
  fleet.network.datagrams
    .slice(mark)
    .filter((d) => d.port === COMMAND_PORT && (d.bytes[1] === 255 || d.to.endsWith(`.${d.bytes[1]}`)))
    .map((d) => [d.to, d.bytes[0]])
const pushesSince = (mark: number) => fleet.network.segments.slice(mark).filter((s) => s.port === SYNC_PORT)

test('law 6: a converged fleet is sent no command and no bundle, and nothing is written', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  await fleet.clock.advance(30_000)
  const [datagrams, segments] = [fleet.network.datagrams.length, fleet.network.segments.length]
  let writes = 0
  fleet.store.subscribe((event) => {
    if (event.type === 'upsert') writes++
  })
  await fleet.clock.advance(10 * 60_000)
  expect(commandsSince(datagrams)).toEqual([])
  expect(pushesSince(segments)).toEqual([])
  expect(writes).toBe(0)
})

test('law 2: with telemetry cut, what was Ready becomes Unknown within the window, and nothing is deleted or stopped', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  for (const node of fleet.nodes.values()) node.cutTelemetry(true)
  await fleet.clock.advance(90_000)
  for (const node of ['relay', 'edge-1', 'edge-2'])
    expect(fleet.condition('Node', node)).toEqual({ status: 'Unknown', reason: 'Silent' })
  expect(fleet.condition('Archive', 'cluster-totebox-test-1')?.status).toBe('Unknown')
  expect(
    fleet.nodes
      .get('edge-1')
      ?.report()
      ?.archives.map((a) => a.lifecycle),
  ).toEqual(['Running', 'Suspended'])
  fleet.declare(archive(4, 'edge-2'))
  await fleet.clock.advance(60_000)
  expect(fleet.condition('Archive', 'cluster-totebox-test-4')?.status).not.toBe('True')
  for (const node of fleet.nodes.values()) node.cutTelemetry(false)
  await fleet.untilReady()
})

test('law 3: a source that empties is held until a person confirms, and then torn down', async () => {
  fleet = await startFleet([hub('relay'), spoke('edge-1'), archive(1, 'edge-1'), archive(2, 'edge-1')])
  await fleet.untilReady()
  fleet.store.withdraw('Archive', 'cluster-totebox-test-1', 'default')
  fleet.store.withdraw('Archive', 'cluster-totebox-test-2', 'default')
  await fleet.clock.advance(5 * 60_000)
  const lifecycles = () =>
    fleet.nodes
      .get('edge-1')
      ?.report()
      ?.archives.map((a) => a.lifecycle)
  expect(lifecycles()).toContain('Running')
  const held = fleet.authority.controllers.holds.list()
  expect(held.length).toBeGreaterThan(0)
  await fleet.authority.controllers.holds.confirm('all')
  await fleet.until(() => fleet.store.list('Archive').length === 0)
  expect(fleet.nodes.get('edge-1')?.report()?.retainedDisks).toHaveLength(2)
})

test('law 4: with the authority gone, tunnels and machines run on, and a restarted agent lives by its bundle', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  fleet.killAuthority()
  await fleet.clock.advance(10 * 60_000)
  await fleet.nodes.get('edge-1')?.restart('agent')
  await fleet.clock.advance(60_000)
  const report = fleet.nodes.get('edge-1')?.report()
  expect(report?.archives.map((a) => a.lifecycle)).toEqual(['Running', 'Suspended'])
  expect(report?.peers[0]?.path).not.toBe('Down')
  await fleet.startAuthority()
  await fleet.untilReady()
})

test('law 6: a restart of the authority costs one PING a node, no other command and no bundle', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  await fleet.clock.advance(5_000)
  const [datagrams, segments] = [fleet.network.datagrams.length, fleet.network.segments.length]
  await fleet.restartAuthority()
  await fleet.clock.advance(30_000)
  await fleet.untilReady()
  const ops = commandsSince(datagrams)
  expect(ops.map(([, op]) => op)).toEqual([OP.PING, OP.PING, OP.PING])
  expect(pushesSince(segments)).toEqual([])
})

test('law 1: on no connection does the listener ever write a byte', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  fleet.declare(spoke('edge-2', { isolated: true }))
  await fleet.clock.advance(60_000)
  const listeners: Record<number, (address: string) => boolean> = {
    8091: (address) => address === '10.8.0.1',
    8092: () => true,
  }
  for (const { from, to, port, bytes } of fleet.network.segments) {
    if (bytes.length === 0) continue
    // Telemetry is written by agents towards the authority, bundles by the authority towards agents.
    if (port === 8091) expect(listeners[8091]?.(to), `${from} -> ${to}`).toBe(true)
    if (port === 8092) expect(from).toBe('10.8.0.1')
  }
  expect(fleet.network.datagrams.filter((d) => d.port === COMMAND_PORT && d.from !== '10.8.0.1')).toEqual([])
})

test('law 12: under the brake nothing goes out, over a restart as well, and released it all arrives', async () => {
  fleet = await startFleet([hub('relay'), spoke('edge-1'), pool('edge-1'), archive(1, 'edge-1')])
  await fleet.untilReady()
  fleet.files.set('brake', Buffer.from('a person said so\n'))
  await fleet.clock.advance(6_000)
  const [datagrams, segments] = [fleet.network.datagrams.length, fleet.network.segments.length]
  fleet.declare(archive(1, 'edge-1', { runState: 'Suspended' }), archive(2, 'edge-1'))
  await fleet.clock.advance(60_000)
  await fleet.restartAuthority()
  await fleet.clock.advance(60_000)
  expect(commandsSince(datagrams)).toEqual([])
  expect(pushesSince(segments)).toEqual([])
  expect(fleet.condition('Node', 'edge-1')).toEqual({ status: 'Unknown', reason: 'Braked' })
  fleet.files.delete('brake')
  fleet.declare(archive(1, 'edge-1', { runState: 'Suspended' }), archive(2, 'edge-1'))
  await fleet.untilReady()
  expect(
    fleet.nodes
      .get('edge-1')
      ?.report()
      ?.archives.map((a) => a.lifecycle),
  ).toEqual(['Suspended', 'Running'])
})

test('a bad hub endpoint published: every node goes back by itself, says Reverted, and is held until it is mended', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  fleet.declare(hub('relay', { endpoint: 'nowhere.example:51820' }))
  await fleet.clock.advance(5 * 60_000)
  expect(fleet.condition('Node', 'edge-1', 'ConfigApplied')).toEqual({ status: 'False', reason: 'Held' })
  expect(fleet.authority.publisher.state('edge-1')).toMatchObject({ stage: 'Reverted', held: true })
  expect(fleet.nodes.get('edge-1')?.report()?.peers[0]?.path).not.toBe('Down')
  fleet.declare(hub('relay'))
  await fleet.untilReady(300_000)
})

test('an isolated node keeps the link to the authority and nothing else, and released it has the rest again', async () => {
  fleet = await startFleet(office())
  await fleet.untilReady()
  fleet.declare(spoke('edge-2', { isolated: true }))
  await fleet.until(() => fleet.nodes.get('edge-2')?.report()?.isolated === true)
  await fleet.untilReady()
  expect(
    fleet.nodes
      .get('edge-2')
      ?.report()
      ?.peers.map((p) => p.allowedIPs),
  ).toEqual([['10.8.0.1/32']])
  fleet.declare(spoke('edge-2'))
  await fleet.untilReady()
  expect(fleet.nodes.get('edge-2')?.report()?.isolated).toBe(false)
})
