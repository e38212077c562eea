// An authority and agents one (synthetic) version apart: test/protocol/version-two.ts says what version 2 is.
import { afterEach, expect, test } from 'vitest'
import { syncPusher } from '../../authority/bundles/push.ts'
import type { BundleDocument } from '../../protocol/bundle/document.ts'
import { encodeSignedBundle, sealBundle } from '../../protocol/bundle/seal.ts'
import type { BundleCodec } from '../../protocol/bundle/versions.ts'
import { OP } from '../../protocol/command/ops.ts'
import type { Revision } from '../../protocol/ids.ts'
import { WIRE_VERSIONS, type WireVersions } from '../../protocol/versions.ts'
import { bundleVersion2, NEWER } from '../protocol/version-two.ts'
import { type Fleet, type FleetOptions, startFleet } from './harness.ts'
import { archive, hub, office, spoke } from './objects.ts'
import { AUTHORITY, addressOf, commandsSince, PORT, refusals } from './wire.ts'

let fleet: Fleet
afterEach(() => fleet.stop())

/** Programs by place; changed between starts, as an upgrade does. */
interface Installed {
  authority: WireVersions
  agents: Record<string, WireVersions>
}

/** Addresses are given in the order of the names, the hub's first. */
async function startSkewed(objects: readonly unknown[], installed: Installed): Promise<Fleet> {
  const options: FleetOptions = {
    get authority() {
      return { versions: installed.authority }
    },
    versions: (node) => installed.agents[node],
  }
  return startFleet(objects, options)
}

const versionsWritten = (port: number, at: number, who: 'from' | 'to', address: string, mark: number): number[] => {
  const own = fleet.network.segments
    .slice(mark)
    .filter((s) => s.port === port && s[who] === address && s.bytes.length > at)
  return [...new Set(own.map((s) => s.bytes[at] as number))].sort()
}
/** Behind length and type. */
const bundleVersionsTo = (node: string, mark = 0) => versionsWritten(PORT.sync, 5, 'to', addressOf(fleet, node), mark)
/** Behind the length. */
const telemetryVersionsFrom = (node: string, mark = 0) =>
  versionsWritten(PORT.telemetry, 4, 'from', addressOf(fleet, node), mark)
const appliedBy = (node: string) => fleet.nodes.get(node)?.report()?.bundles.applied
/** As the authority pushes. */
async function push(node: string, bundle: Uint8Array): Promise<void> {
  const pusher = syncPusher(fleet.network.transport(), () => AUTHORITY)
  const pushed = pusher({ address: addressOf(fleet, node), port: PORT.sync }, bundle, new AbortController().signal)
  await fleet.clock.advance(2_000)
  await pushed.catch(() => {})
}
const marks = () => ({ datagrams: fleet.network.datagrams.length, segments: fleet.network.segments.length })

test('a newer authority writes version 2 to agents that read it, version 1 to the others, and reads both', async () => {
  fleet = await startSkewed(office(), { authority: NEWER, agents: { 'edge-2': NEWER } })
  await fleet.untilReady()
  const before = marks()
  fleet.declare(archive(4, 'edge-1'), archive(5, 'edge-2'), spoke('edge-3'))
  await fleet.untilReady()
  expect(bundleVersionsTo('edge-1', before.segments)).toEqual([1])
  expect(bundleVersionsTo('edge-2', before.segments)).toEqual([2])
  const after = marks()
  await fleet.clock.advance(30_000)
  expect(telemetryVersionsFrom('edge-1', after.segments)).toEqual([1])
  expect(telemetryVersionsFrom('edge-2', after.segments)).toEqual([2])
  fleet.declare(archive(5, 'edge-2', { runState: 'Suspended' }), spoke('edge-2', { isolated: true }))
  await fleet.untilReady()
  expect(fleet.nodes.get('edge-2')?.report()).toMatchObject({ isolated: true })
})

test('newer agents under an older authority read and write version 1', async () => {
  fleet = await startSkewed(office(), {
    authority: WIRE_VERSIONS,
    agents: { relay: NEWER, 'edge-1': NEWER, 'edge-2': NEWER },
  })
  await fleet.untilReady()
  fleet.declare(archive(1, 'edge-1', { runState: 'Suspended' }), archive(4, 'edge-2'))
  await fleet.untilReady()
  for (const node of ['relay', 'edge-1', 'edge-2']) {
    expect(bundleVersionsTo(node).filter((version) => version !== 1)).toEqual([])
    expect(telemetryVersionsFrom(node)).toEqual([1])
  }
})

test('upgrading authority and agents of a converged fleet changes no bundle and sends nothing but PING', async () => {
  const installed: Installed = { authority: WIRE_VERSIONS, agents: {} }
  fleet = await startSkewed(office(), installed)
  await fleet.untilReady()
  await fleet.clock.advance(5_000)
  const digests = () => ['relay', 'edge-1', 'edge-2'].map((node) => appliedBy(node)?.digest)
  const [held, before] = [digests(), marks()]

  installed.authority = NEWER
  await fleet.restartAuthority()
  await fleet.clock.advance(30_000)
  await fleet.untilReady()
  expect(commandsSince(fleet, before.datagrams).map(({ op }) => op)).toEqual([OP.PING, OP.PING, OP.PING])

  for (const node of ['relay', 'edge-1', 'edge-2']) {
    installed.agents[node] = NEWER
    await fleet.nodes.get(node)?.restart('agent')
  }
  await fleet.clock.advance(60_000)
  await fleet.untilReady()
  expect(new Set(commandsSince(fleet, before.datagrams).map(({ op }) => op))).toEqual(new Set([OP.PING]))
  expect(fleet.network.segments.slice(before.segments).filter((s) => s.port === PORT.sync)).toEqual([])
  expect(digests()).toEqual(held)

  fleet.declare(archive(4, 'edge-2'))
  await fleet.untilReady()
  expect(bundleVersionsTo('edge-2', before.segments)).toEqual([2])

  await fleet.clock.advance(15_000)
  const again = marks()
  await fleet.restartAuthority()
  await fleet.clock.advance(30_000)
  await fleet.untilReady()
  expect(fleet.network.segments.slice(again.segments).filter((s) => s.port === PORT.sync)).toEqual([])
})

test('an agent that is put back to the older program gets the content in what it reads', async () => {
  const installed: Installed = { authority: NEWER, agents: {} }
  fleet = await startSkewed(office(), installed)
  await fleet.untilReady()
  installed.agents['edge-1'] = NEWER
  await fleet.nodes.get('edge-1')?.restart('agent')
  await fleet.clock.advance(15_000)
  fleet.declare(archive(4, 'edge-1'))
  await fleet.untilReady()
  const before = marks()
  expect(bundleVersionsTo('edge-1')).toEqual([1, 2])

  installed.agents['edge-1'] = WIRE_VERSIONS
  await fleet.nodes.get('edge-1')?.restart('agent')
  await fleet.clock.advance(30_000)
  await fleet.untilReady(300_000)
  expect(bundleVersionsTo('edge-1', before.segments)).toEqual([1])
  expect(telemetryVersionsFrom('edge-1', before.segments)).toEqual([1])
})

test('a field of the newer version under the older number is refused, and counted', async () => {
  fleet = await startSkewed(office(), { authority: NEWER, agents: { 'edge-2': NEWER } })
  await fleet.untilReady()
  const { authorityId, meshId, signing } = fleet.authority.keys.keys
  const enrolment = fleet.authority.registry.of('edge-2')
  const content = fleet.authority.publisher.state('edge-2').content
  const before = appliedBy('edge-2')
  if (!content || !before || !enrolment) throw new Error('edge-2 has no bundle')
  const document: BundleDocument = {
    ...{ version: 1, meshId, nodeId: enrolment.nodeId, enrolmentId: enrolment.enrolmentId },
    ...{ term: before.term, revision: (before.revision + 1) as Revision, switch: 'onReceipt' },
    registryHead: fleet.authority.registry.head(),
    content: { ...content, attempt: 0 },
  }
  const authority = { id: authorityId, signingSecret: signing.secretKey }
  const lax: BundleCodec = {
    ...bundleVersion2,
    write: (written) => ({ ...written, version: 1, content: bundleVersion2.content(written.content) }),
  }
  await push(
    'edge-2',
    encodeSignedBundle(sealBundle(document, authority, { version: 1, versions: new Map([[1, lax]]) })),
  )
  expect(refusals(fleet, 'edge-2')).toMatchObject({ BundleMalformed: 1 })
  expect(appliedBy('edge-2')).toEqual(before)
  // The same, said in the version it belongs to, is taken.
  const proper = sealBundle(document, authority, { version: 2, versions: NEWER.bundle })
  await push('edge-2', encodeSignedBundle(proper))
  expect(appliedBy('edge-2')?.digest).toBe(proper.digest)
})

test('an op that an agent does not list is not sent to it', async () => {
  const older: WireVersions = { ...WIRE_VERSIONS, ops: WIRE_VERSIONS.ops.filter((op) => op !== OP.WEIGHT) }
  fleet = await startSkewed(
    [hub('relay'), spoke('edge-1'), spoke('edge-2'), archive(1, 'edge-1'), archive(2, 'edge-2')],
    {
      authority: NEWER,
      agents: { 'edge-1': older },
    },
  )
  await fleet.clock.advance(60_000)
  fleet.declare(archive(1, 'edge-1', { cpu: { weight: 300 } }), archive(2, 'edge-2', { cpu: { weight: 300 } }))
  await fleet.clock.advance(60_000)
  const told = commandsSince(fleet, 0).filter(({ op }) => op === OP.WEIGHT)
  expect(new Set(told.map(({ to }) => to))).toEqual(new Set([addressOf(fleet, 'edge-2')]))
})
