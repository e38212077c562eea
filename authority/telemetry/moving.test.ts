import { expect, test } from 'vitest'
import type { NodeReport } from '../../protocol/telemetry/report.ts'
import { sameButMoving } from './moving.ts'

const archive = {
  id: 'a'.repeat(32),
  slot: 1,
  name: 'x',
  namespace: 'y',
  lifecycle: 'Running' as const,
  operation: { op: 4 as const, value: 1, remainingMs: 900 },
  unlisted: false,
  imageReady: true,
  fencingEpoch: 1,
  memoryActualMiB: 256,
  memoryTargetMiB: 256,
  cpuTimeMs: 5,
  weight: 100,
  restarts: 0,
}
const peer = {
  nodeId: 'b'.repeat(32),
  name: 'hub',
  publicKey: 'k'.repeat(44),
  handshakeAgeSeconds: 3,
  path: 'Relayed' as const,
  reason: 'Hub',
  allowedIPs: ['10.8.0.1/32'],
  rxBytes: 1,
  txBytes: 1,
}
const base: NodeReport = {
  agentVersion: '0.1.0',
  reads: { bundle: [1], ops: [1] },
  bundles: {},
  marks: [],
  marksLost: false,
  bundleLost: false,
  clockSynchronised: true,
  wallClockMs: 1,
  isolated: false,
  peers: [peer],
  capacity: { memoryMiB: 1024, cpus: 1 },
  usage: { memoryFreeMiB: 500, pressure: 'None' },
  pendingKeys: {},
  refusals: { BadTag: 1 },
  archives: [archive],
  releases: [],
  retainedDisks: [],
}

test.each<[string, Partial<NodeReport>]>([
  ['the wall clock', { wallClockMs: 2 }],
  [
    'CPU time and the time left of an operation',
    { archives: [{ ...archive, cpuTimeMs: 6, operation: { ...archive.operation, remainingMs: 1 } }] },
  ],
  ['byte counts and handshake age', { peers: [{ ...peer, rxBytes: 9, txBytes: 9, handshakeAgeSeconds: 8 }] }],
  ['a count of refusals', { refusals: { BadTag: 7 } }],
  ['a little free memory', { usage: { memoryFreeMiB: 510, pressure: 'None' } }],
])('%s is no news', (_, change) => {
  expect(sameButMoving(base, { ...base, ...change })).toBe(true)
})

test.each<[string, Partial<NodeReport>]>([
  ['a lifecycle', { archives: [{ ...archive, lifecycle: 'Stopped' }] }],
  ['an operation that ended', { archives: [{ ...archive, operation: undefined }] }],
  ['actual memory', { archives: [{ ...archive, memoryActualMiB: 272 }] }],
  ['a path', { peers: [{ ...peer, path: 'Down' }] }],
  ['a mark', { marks: [{ op: 1, slot: 0, term: 1, sequence: 1, value: 0, state: 'done' }] }],
  ['a new reason of refusal', { refusals: { BadTag: 1, Stale: 1 } }],
  ['an archive more', { archives: [archive, { ...archive, slot: 2 }] }],
  ['5 % of free memory', { usage: { memoryFreeMiB: 475, pressure: 'None' } }],
])('%s is news', (_, change) => {
  expect(sameButMoving(base, { ...base, ...change })).toBe(false)
})

test('a first report is news', () => {
  expect(sameButMoving(undefined, base)).toBe(false)
})
