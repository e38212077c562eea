import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { withoutUndefined } from '../../base/canonical-json.ts'
import { arbitraryChange, arbitraryReport } from '../../test/protocol/arbitrary-report.ts'
import { sealFrame, type TelemetryFrame } from './frame.ts'
import { sortReport } from './lists.ts'
import { diffReport, mergeReport } from './merge.ts'
import { assembler, splitDelta, splitReport } from './parts.ts'
import type { NodeReport } from './report.ts'

const KEY = new Uint8Array(32).fill(1)
const hex = (n: number) => n.toString(16).padStart(32, '0')

function framesOf(report: NodeReport, firstSequence = 1, bootId = hex(1)): TelemetryFrame[] {
  const bodies = splitReport(report)
  return bodies.map((body, i) => ({
    term: 3,
    header: { bootId, sequence: firstSequence + i, uptimeMs: 10 },
    type: 'full',
    part: i + 1,
    parts: bodies.length,
    body,
  }))
}

/** A node as large as one gets: every slot, peer, mark and disk. */
function largest(): NodeReport {
  const [small] = fc.sample(arbitraryReport(0), { numRuns: 1, seed: 1 }) as [NodeReport]
  const many = <T>(n: number, make: (i: number) => T) => Array.from({ length: n }, (_, i) => make(i))
  return {
    ...small,
    refusals: Object.fromEntries(many(256, (i) => [`Reason${i}`, i])),
    marks: many(2040, (i) => ({
      op: (1 + (i >> 8)) as never,
      slot: i & 255,
      term: 1,
      sequence: i,
      value: 0,
      state: 'done',
    })),
    peers: many(254, (i) => ({
      nodeId: hex(i),
      name: `node-${i}`,
      publicKey: 'k'.repeat(44),
      path: 'Relayed',
      reason: 'NoHandshake',
      allowedIPs: many(256, () => '255.255.255.255/32'),
      rxBytes: 1e12,
      txBytes: 1e12,
    })),
    archives: many(255, (i) => ({
      id: hex(i),
      slot: i + 1,
      name: 'cluster-totebox-example-1',
      namespace: 'default',
      lifecycle: 'Failed',
      refusal: { op: 4, value: 1, reason: 'Failed', message: '€'.repeat(256) },
      unlisted: false,
      imageReady: true,
      fencingEpoch: 1,
      memoryActualMiB: 1,
      memoryTargetMiB: 1,
      cpuTimeMs: 1,
      weight: 1,
      restarts: 1,
      errorMessage: '€'.repeat(256),
    })),
    releases: many(255, (i) => ({ archive: hex(i), fencingEpoch: i, signature: 's'.repeat(88) })),
    retainedDisks: many(1024, (i) => ({ id: hex(i), namespace: 'default', name: 'n'.repeat(63), sizeMiB: 1 })),
  }
}

test('a report put together from its parts is the report', () => {
  fc.assert(
    fc.property(arbitraryReport(40), (report) => {
      const parts = assembler()
      const results = framesOf(report).map((frame) => parts.push(frame))
      for (const waiting of results.slice(0, -1)) expect(waiting).toEqual({ state: 'waiting' })
      expect(withoutUndefined(results.at(-1))).toEqual({
        state: 'complete',
        report: withoutUndefined(sortReport(report)),
      })
    }),
    { numRuns: 60 },
  )
})

test('the largest report goes through, every part within the limit of a frame', () => {
  const report = largest()
  const frames = framesOf(report)
  expect(frames.length).toBeGreaterThan(10)
  for (const frame of frames) sealFrame(frame, KEY)
  const parts = assembler()
  const results = frames.map((frame) => parts.push(frame))
  expect(withoutUndefined(results.at(-1))).toEqual({ state: 'complete', report: withoutUndefined(sortReport(report)) })
})

test('the largest changes go through as several deltas, removals included', () => {
  const full = largest()
  const empty = { ...full, marks: [], peers: [], archives: [], releases: [], retainedDisks: [], refusals: {} }
  for (const [before, after] of [
    [empty, full],
    [full, empty],
  ] as const) {
    const deltas = splitDelta(diffReport(before, after) as object)
    expect(deltas.length).toBeGreaterThan(1)
    for (const body of deltas) {
      const header = { bootId: hex(1), sequence: 1, uptimeMs: 1 }
      sealFrame({ term: 1, header, type: 'delta', part: 1, parts: 1, body }, KEY)
    }
    expect(withoutUndefined(deltas.reduce(mergeReport, before))).toEqual(withoutUndefined(sortReport(after)))
  }
})

test('a delta that fits one frame stays whole', () => {
  fc.assert(
    fc.property(arbitraryChange(), ([before, after]) => {
      const delta = diffReport(before, after)
      if (delta) expect(splitDelta(delta)).toEqual([withoutUndefined(delta)])
    }),
  )
})

describe('parts that do not belong together are rejected', () => {
  const report = largest()
  const outOfOrder = { state: 'rejected', reason: 'OutOfOrder' }
  const frames = framesOf(report)
  const pushed = (...given: (TelemetryFrame | undefined)[]) => {
    const parts = assembler()
    return given.map((frame) => parts.push(frame as TelemetryFrame)).at(-1)
  }
  const changed = (change: Partial<TelemetryFrame>) => ({ ...(frames[1] as TelemetryFrame), ...change })

  test('a second part without the first', () => expect(pushed(frames[1])).toEqual(outOfOrder))
  test('a part left out', () => expect(pushed(frames[0], frames[2])).toEqual(outOfOrder))
  test('a part twice', () => expect(pushed(frames[0], frames[1], frames[1])).toEqual(outOfOrder))
  test('a part of another snapshot', () => expect(pushed(frames[0], framesOf(report, 500)[1])).toEqual(outOfOrder))
  test('a part of another process', () => expect(pushed(frames[0], framesOf(report, 1, hex(2))[1])).toEqual(outOfOrder))
  test('a part of another term', () => expect(pushed(frames[0], changed({ term: 4 }))).toEqual(outOfOrder))
  test('a part that counts another number of parts', () =>
    expect(pushed(frames[0], changed({ parts: frames.length + 1 }))).toEqual(outOfOrder))

  test('what was there goes with it: the rest of the snapshot is rejected too', () => {
    expect(pushed(frames[0], frames[2], frames[1])).toEqual(outOfOrder)
  })

  test('a first part begins anew', () => {
    const [small] = fc.sample(arbitraryReport(0), { numRuns: 1, seed: 1 }) as [NodeReport]
    expect(pushed(frames[0], ...framesOf(small, 9))).toMatchObject({ state: 'complete' })
  })

  test('parts that make no whole report are malformed', () => {
    const [only] = framesOf(fc.sample(arbitraryReport(0), { numRuns: 1, seed: 1 })[0] as NodeReport)
    const { marks: _, ...body } = (only as TelemetryFrame).body
    expect(pushed({ ...(only as TelemetryFrame), body })).toEqual({ state: 'rejected', reason: 'Malformed' })
  })
})
