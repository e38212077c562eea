import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalBytes, withoutUndefined } from '../../base/canonical-json.ts'
import { arbitraryChange, arbitraryReport } from '../../test/protocol/arbitrary-report.ts'
import { sortReport } from './lists.ts'
import { diffReport, mergeReport } from './merge.ts'
import { nodeReport, nodeReportDelta } from './report.ts'

test('a report merged with what changed is the later report', () => {
  fc.assert(
    fc.property(arbitraryChange(), ([before, after]) => {
      const delta = diffReport(before, after)
      const merged = delta ? mergeReport(before, delta) : sortReport(before)
      expect(withoutUndefined(merged)).toEqual(withoutUndefined(sortReport(after)))
    }),
    { numRuns: 300 },
  )
})

test('two unrelated reports as well', () => {
  fc.assert(
    fc.property(arbitraryReport(), arbitraryReport(), (before, after) => {
      const delta = diffReport(before, after)
      const merged = delta ? mergeReport(before, delta) : sortReport(before)
      expect(withoutUndefined(merged)).toEqual(withoutUndefined(sortReport(after)))
    }),
  )
})

test('nothing changed, no delta; a change of order alone is none', () => {
  fc.assert(
    fc.property(arbitraryReport(), (report) => {
      expect(diffReport(report, structuredClone(report))).toBeUndefined()
      expect(diffReport(report, { ...report, archives: [...report.archives].reverse() })).toBeUndefined()
    }),
  )
})

test('a delta is one by the schema, and says no more than it must', () => {
  fc.assert(
    fc.property(arbitraryChange(), ([before, after]) => {
      const delta = diffReport(before, after)
      if (!delta) return
      nodeReportDelta.parse(delta)
      expect(canonicalBytes(withoutUndefined(delta)).length).toBeLessThanOrEqual(
        canonicalBytes(withoutUndefined(after)).length + canonicalBytes(withoutUndefined(before)).length,
      )
    }),
  )
})

test('merging changes neither of its arguments', () => {
  fc.assert(
    fc.property(arbitraryChange(), ([before, after]) => {
      const delta = diffReport(before, after)
      if (!delta) return
      const [report, change] = [structuredClone(before), structuredClone(delta)]
      mergeReport(before, delta)
      expect(before).toEqual(report)
      expect(delta).toEqual(change)
    }),
  )
})

test('an archive, a peer and a mark that went are gone, and so is a field', () => {
  const [report] = fc.sample(
    arbitraryReport().filter(
      (one) => one.archives.length > 1 && one.peers.length > 0 && one.marks.length > 0 && one.interface !== undefined,
    ),
    { numRuns: 1, seed: 3 },
  )
  const before = nodeReport.parse(report)
  const after = { ...before, archives: before.archives.slice(1), peers: [], marks: [], interface: undefined }
  const delta = diffReport(before, after)
  expect(delta).toEqual({
    removed: {
      fields: ['interface'],
      archives: [before.archives[0]?.slot],
      peers: expect.arrayContaining(before.peers.map((peer) => peer.nodeId)),
      marks: expect.arrayContaining(before.marks.map((mark) => [mark.op, mark.slot])),
    },
  })
})
