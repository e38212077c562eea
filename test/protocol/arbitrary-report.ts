// Any report a node could make, for properties.
import fc from 'fast-check'
import { LIFECYCLES, type NodeReport, REFUSALS } from '../../protocol/telemetry/report.ts'

const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('base64'))
const u32 = fc.nat(0xffff_ffff)
const count = fc.nat()
const label = fc.stringMatching(/^[a-z][a-z0-9-]{0,9}$/)
const message = fc
  .string({ maxLength: 256, unit: 'grapheme' })
  .filter((text) => text.isWellFormed() && text.length <= 256)
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

const held = fc.record({ term: u32, revision: u32, digest })
const mark = fc.record({
  op: fc.integer({ min: 1, max: 8 }),
  slot: fc.nat(255),
  term: u32,
  sequence: u32,
  value: fc.nat(65535),
  state: fc.constantFrom('begun', 'done'),
})
const archive = fc.record({
  id,
  slot: fc.integer({ min: 1, max: 255 }),
  name: label,
  namespace: label,
  lifecycle: fc.constantFrom(...LIFECYCLES),
  operation: maybe(fc.record({ op: fc.integer({ min: 1, max: 8 }), value: fc.nat(65535), remainingMs: count })),
  refusal: maybe(
    fc.record({
      op: fc.integer({ min: 1, max: 8 }),
      value: fc.nat(65535),
      reason: fc.constantFrom(...REFUSALS),
      message,
    }),
  ),
  unlisted: fc.boolean(),
  imageReady: fc.boolean(),
  fencingEpoch: u32,
  memoryActualMiB: count,
  memoryTargetMiB: count,
  cpuTimeMs: count,
  weight: fc.nat(10000),
  restarts: count,
  errorCode: maybe(label),
  errorMessage: maybe(message),
})
const peer = fc.record({
  nodeId: id,
  name: label,
  publicKey: key,
  handshakeAgeSeconds: maybe(count),
  path: fc.constantFrom('Direct', 'Relayed', 'Down'),
  reason: label,
  endpoint: maybe(label),
  allowedIPs: fc.array(fc.ipV4(), { maxLength: 4 }),
  rxBytes: count,
  txBytes: count,
})

/** Lists hold up to `most` entries, each under a key of its own. */
export function arbitraryReport(most = 6): fc.Arbitrary<NodeReport> {
  const unique = <T>(entry: fc.Arbitrary<T>, selector: (one: T) => unknown) =>
    fc.uniqueArray(entry, { maxLength: most, selector: (one) => JSON.stringify(selector(one)) })
  return fc.record({
    agentVersion: label,
    reads: fc.record({
      bundle: fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 3 }),
      ops: fc.array(fc.integer({ min: 1, max: 255 }), { maxLength: 8 }),
    }),
    registryHead: maybe(fc.record({ count, hash: digest })),
    bundles: fc.record({ applied: maybe(held), staged: maybe(held), reverted: maybe(held) }),
    told: maybe(fc.record({ term: u32, revision: u32 })),
    marks: unique(mark, (one) => [one.op, one.slot]),
    marksLost: fc.boolean(),
    bundleLost: fc.boolean(),
    clockSynchronised: fc.boolean(),
    wallClockMs: count,
    isolated: fc.boolean(),
    interface: maybe(
      fc.record({ name: fc.constant('ppn0'), publicKey: key, address: label, listenPort: fc.nat(65535), mtu: count }),
    ),
    peers: unique(peer, (one) => one.nodeId),
    capacity: fc.record({ memoryMiB: count, cpus: count }),
    usage: fc.record({ memoryFreeMiB: count, pressure: fc.constantFrom('None', 'Low', 'High', 'Emergency') }),
    pendingKeys: fc.record({ commandPublicKey: maybe(key), wireguardPublicKey: maybe(key) }),
    refusals: fc.dictionary(fc.stringMatching(/^[A-Z][A-Za-z]{0,12}$/), count, { maxKeys: most }),
    archives: unique(archive, (one) => one.slot),
    releases: unique(
      fc.record({
        archive: id,
        fencingEpoch: u32,
        signature: fc
          .uint8Array({ minLength: 64, maxLength: 64 })
          .map((bytes) => Buffer.from(bytes).toString('base64')),
      }),
      (one) => [one.archive, one.fencingEpoch],
    ),
    retainedDisks: unique(fc.record({ id, namespace: label, name: label, sizeMiB: count }), (one) => one.id),
  }) as fc.Arbitrary<NodeReport>
}

/** A report and a later one that shares some of its entries, as two reports of one node do. */
export function arbitraryChange(most = 6): fc.Arbitrary<[NodeReport, NodeReport]> {
  return fc
    .tuple(arbitraryReport(most), arbitraryReport(most), fc.infiniteStream(fc.boolean()))
    .map(([before, other, keeps]) => {
      const after = { ...other } as Record<string, unknown>
      for (const [name, value] of Object.entries(before)) {
        if (Array.isArray(value)) {
          const kept = value.filter(() => keeps.next().value)
          after[name] = unitedByKey(name, kept, (other as Record<string, unknown>)[name] as Entry[])
        } else if (keeps.next().value) after[name] = value
      }
      return [before, after as unknown as NodeReport]
    })
}

type Entry = Record<string, unknown>
const KEYS: Record<string, string[]> = {
  marks: ['op', 'slot'],
  peers: ['nodeId'],
  archives: ['slot'],
  releases: ['archive', 'fencingEpoch'],
  retainedDisks: ['id'],
}

function unitedByKey(name: string, kept: Entry[], others: Entry[]): Entry[] {
  const keyOf = (entry: Entry) => JSON.stringify((KEYS[name] as string[]).map((member) => entry[member]))
  const have = new Set(kept.map(keyOf))
  return [...kept, ...others.filter((entry) => !have.has(keyOf(entry)))]
}
