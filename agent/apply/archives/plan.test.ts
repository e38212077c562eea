import { expect, test } from 'vitest'
import { OP, type Op, POWER } from '../../../protocol/command/ops.ts'
import type { Mark } from '../../../protocol/telemetry/report.ts'
import { anArchive } from '../../../testing/bundle-fixtures.ts'
import type { VmState } from '../../drivers/vm/port.ts'
import type { Sidecar } from '../../fence/sidecar.ts'
import { planArchive } from './plan.ts'
import { type ArchivePlan, type ArchiveView, NOTHING_REMEMBERED } from './view.ts'

const definition = anArchive({ slot: 1 })
const sidecar: Sidecar = {
  id: definition.id,
  name: definition.name,
  namespace: 'default',
  fencingEpoch: 1,
  imageSha256: definition.image.sha256,
  format: 'raw',
  state: 'ready',
}
const disk = { id: definition.id, path: '/disk', sizeMiB: 1, imageSha256: definition.image.sha256 }
const mark = (op: Op, value: number, sequence = 9): Mark => ({ op, slot: 1, term: 1, sequence, value, state: 'done' })
const vm = (lifecycle: VmState['lifecycle'], given: Partial<VmState> = {}): VmState => ({
  id: definition.id,
  slot: 1,
  lifecycle,
  memoryActualMiB: 512,
  memoryTargetMiB: 512,
  cpuTimeMs: 0,
  balloon: 'Converged',
  ...given,
})
const NOW = 1_000_000
const view = (given: Partial<ArchiveView> = {}): ArchiveView => ({
  definition,
  mayStart: true,
  balloonPolicy: 'Auto',
  power: undefined,
  weight: undefined,
  balloon: undefined,
  vm: undefined,
  disk,
  sidecar,
  released: undefined,
  fenceLost: false,
  cpuWeight: 100,
  cpuUnavailable: undefined,
  memory: NOTHING_REMEMBERED,
  nowMs: NOW,
  ...given,
})
const told = (value: number) => ({ power: mark(OP.POWER, value) })
const since = (sinceMs: number, asked = true) => ({
  memory: { ...NOTHING_REMEMBERED, power: { mark: mark(OP.POWER, 0), sinceMs, asked } },
})
const started = { ...sidecar, started: { term: 1, sequence: 9 } }
const crashed = { vm: vm('crashed', { end: 'guest-panic' }), sidecar: started, ...told(POWER.start) }
const ended = { vm: vm('stopped', { end: 'guest-shutdown' }), sidecar: started, ...told(POWER.start) }
const policy = (restartPolicy: 'Always' | 'OnFailure' | 'Never') => ({ definition: { ...definition, restartPolicy } })
const manual = (value: number, balloon: VmState['balloon'], target = 512) => ({
  ...told(POWER.start),
  balloonPolicy: 'Manual' as const,
  balloon: mark(OP.BALLOON, value),
  vm: vm('running', { balloon, memoryTargetMiB: target }),
})

const cases: [string, Partial<ArchiveView>, Partial<Record<keyof ArchivePlan, unknown>>][] = [
  // the disk
  [
    'no disk: make it, told or not',
    { disk: undefined, sidecar: undefined },
    { step: { do: 'make' }, imageReady: false },
  ],
  ['half made before a crash: made again', { sidecar: { ...sidecar, state: 'preparing' } }, { step: { do: 'make' } }],
  [
    'being made',
    { disk: undefined, sidecar: undefined, memory: { ...NOTHING_REMEMBERED, making: true } },
    { step: undefined, lifecycle: 'Preparing' },
  ],
  [
    'a ready disk that is gone is never made anew',
    { disk: undefined },
    { step: undefined, lifecycle: 'Failed', error: { code: 'DiskMissing', message: expect.any(String) } },
  ],
  [
    'a disk nobody knows',
    { sidecar: undefined },
    { step: undefined, error: { code: 'SidecarMissing', message: expect.any(String) } },
  ],
  [
    'given up before: not made anew',
    { disk: undefined, sidecar: undefined, released: 1 },
    { step: undefined, error: { code: 'FenceRefused', message: expect.any(String) } },
  ],
  [
    'to be pushed here: waited for',
    { disk: undefined, sidecar: undefined, definition: { ...definition, chunkListRoot: 'c'.repeat(64) } },
    { step: undefined, lifecycle: 'Preparing' },
  ],
  [
    'half received, and no longer to come',
    { sidecar: { ...sidecar, state: 'receiving' } },
    { step: undefined, error: { code: 'DiskIncomplete', message: expect.any(String) } },
  ],
  [
    'its own disk, given up here, under a higher epoch: what a move that was called off leaves',
    {
      sidecar: { ...sidecar, state: 'retained' },
      released: 1,
      definition: { ...definition, adoptDisk: definition.id, fencingEpoch: 3 },
    },
    { step: { do: 'adopt', disk: definition.id } },
  ],
  [
    'a retained disk to adopt',
    { disk: undefined, sidecar: undefined, definition: { ...definition, adoptDisk: 'd'.repeat(32) } },
    { step: { do: 'adopt', disk: 'd'.repeat(32) } },
  ],
  // power
  ['never told: left as it is', {}, { step: undefined, lifecycle: 'Stopped' }],
  ['never told, running: left as it is', { vm: vm('running') }, { step: undefined, lifecycle: 'Running' }],
  ['told to start', told(POWER.start), { step: { do: 'start', disk, mark: { term: 1, sequence: 9 } } }],
  [
    'told to start, starting',
    { ...told(POWER.start), vm: vm('starting') },
    { step: undefined, operation: { op: OP.POWER, value: 1, deadlineMs: NOW + 60_000 } },
  ],
  [
    'told to start, running',
    { ...told(POWER.start), vm: vm('running') },
    { step: undefined, operation: undefined, refusal: undefined },
  ],
  ['told to start, paused', { ...told(POWER.start), vm: vm('paused') }, { step: { do: 'resume' } }],
  [
    'told to start, still ending',
    { ...told(POWER.start), vm: vm('stopping') },
    { step: undefined, lifecycle: 'Stopping' },
  ],
  ['told to stop, running', { ...told(POWER.stop), vm: vm('running') }, { step: { do: 'stop' } }],
  ['told to stop, paused', { ...told(POWER.stop), vm: vm('paused') }, { step: { do: 'stop' } }],
  [
    'told to stop, stopping',
    { ...told(POWER.stop), vm: vm('stopping') },
    { step: undefined, operation: { op: OP.POWER, value: 0, deadlineMs: NOW + 90_000 } },
  ],
  [
    'told to stop, stopping for too long',
    { ...told(POWER.stop), vm: vm('stopping'), ...since(NOW - 90_000) },
    { step: undefined, refusal: { op: OP.POWER, value: 0, reason: 'Stuck', message: expect.any(String) } },
  ],
  ['told to stop, stopped', { ...told(POWER.stop), vm: vm('stopped') }, { step: undefined, operation: undefined }],
  ['told to cut, stopping', { ...told(POWER.cut), vm: vm('stopping') }, { step: { do: 'cut' } }],
  ['told to cut, and cut', { ...told(POWER.cut), vm: vm('stopping'), ...since(NOW) }, { step: undefined }],
  ['told to suspend, running', { ...told(POWER.suspend), vm: vm('running') }, { step: { do: 'pause' } }],
  [
    'told to suspend, starting',
    { ...told(POWER.suspend), vm: vm('starting') },
    { step: undefined, operation: { op: OP.POWER, value: 3, deadlineMs: NOW + 60_000 } },
  ],
  [
    'told to suspend, suspended',
    { ...told(POWER.suspend), vm: vm('paused') },
    { step: undefined, lifecycle: 'Suspended' },
  ],
  [
    'told to suspend, gone with the machine: not started',
    { ...told(POWER.suspend), sidecar: started },
    { step: undefined, lifecycle: 'Stopped' },
  ],
  // restarts
  ['crashed, Always', { ...crashed }, { step: { do: 'start', disk, mark: { term: 1, sequence: 9 } } }],
  [
    'crashed, OnFailure',
    { ...crashed, ...policy('OnFailure') },
    { step: { do: 'start', disk, mark: { term: 1, sequence: 9 } } },
  ],
  [
    'crashed, Never',
    { ...crashed, ...policy('Never') },
    {
      step: undefined,
      lifecycle: 'Crashed',
      refusal: { op: OP.POWER, value: 1, reason: 'Failed', message: 'the guest panicked; restartPolicy is Never' },
    },
  ],
  ['ended by itself, Always', { ...ended }, { step: { do: 'start', disk, mark: { term: 1, sequence: 9 } } }],
  [
    'ended by itself, OnFailure',
    { ...ended, ...policy('OnFailure') },
    {
      step: undefined,
      lifecycle: 'Stopped',
      refusal: { op: OP.POWER, value: 1, reason: 'Failed', message: expect.any(String) },
    },
  ],
  [
    'a new command starts it whatever the policy',
    { ...ended, ...policy('Never'), power: mark(OP.POWER, 1, 10) },
    { step: { do: 'start', disk, mark: { term: 1, sequence: 10 } } },
  ],
  [
    'too soon after a crash',
    { ...crashed, memory: { ...NOTHING_REMEMBERED, failures: 3, retryAtMs: NOW + 500 } },
    {
      step: undefined,
      lifecycle: 'BackOff',
      wakeMs: NOW + 500,
      refusal: { op: OP.POWER, value: 1, reason: 'BackOff', message: expect.any(String) },
    },
  ],
  [
    'killed, Never: told apart from a panic',
    { ...crashed, vm: vm('crashed', { end: 'process-died' }), ...policy('Never') },
    {
      refusal: {
        op: OP.POWER,
        value: 1,
        reason: 'Failed',
        message: 'the process of the VM died; restartPolicy is Never',
      },
    },
  ],
  [
    'gone with the machine, OnFailure',
    { sidecar: started, ...told(POWER.start), ...policy('OnFailure') },
    { step: { do: 'start', disk, mark: { term: 1, sequence: 9 } } },
  ],
  // a host that cannot serve the disk
  [
    'told to start, waiting for room on the host: said, and left to the driver',
    { ...told(POWER.start), vm: vm('paused', { fault: 'DiskFull' }) },
    {
      step: undefined,
      lifecycle: 'Failed',
      error: { code: 'DiskFull', message: expect.any(String) },
      refusal: { op: OP.POWER, value: 1, reason: 'Failed', message: expect.any(String) },
    },
  ],
  [
    'told to suspend while it waits for its host',
    { ...told(POWER.suspend), vm: vm('paused', { fault: 'DiskFull' }) },
    { step: { do: 'pause' } },
  ],
  [
    'told to stop while it waits for its host',
    { ...told(POWER.stop), vm: vm('paused', { fault: 'DiskError' }) },
    { step: { do: 'stop' } },
  ],
  // laws 7 and 8, and what was put back
  [
    'a disk of another epoch',
    { ...told(POWER.start), sidecar: { ...sidecar, fencingEpoch: 2 } },
    { step: undefined, lifecycle: 'Failed', error: { code: 'FenceRefused', message: expect.any(String) } },
  ],
  [
    'a changed image',
    { ...told(POWER.start), definition: { ...definition, image: { ...definition.image, sha256: 'f'.repeat(64) } } },
    { step: undefined, error: { code: 'ImageChanged', message: expect.any(String) } },
  ],
  [
    'a bundle that was put back starts nothing anew',
    { ...told(POWER.start), mayStart: false },
    { step: undefined, error: { code: 'BundleReverted', message: expect.any(String) } },
  ],
  [
    'a bundle that was put back restarts what crashed',
    { ...crashed, mayStart: false },
    { step: { do: 'start', disk, mark: { term: 1, sequence: 9 } } },
  ],
  // shares
  [
    'a weight to set',
    { ...told(POWER.start), vm: vm('running'), weight: mark(OP.WEIGHT, 300) },
    { step: { do: 'weight', weight: 300 } },
  ],
  ['a weight in force', { ...told(POWER.start), vm: vm('running'), weight: mark(OP.WEIGHT, 100) }, { step: undefined }],
  ['a weight without a VM', { weight: mark(OP.WEIGHT, 300), cpuWeight: undefined }, { step: undefined }],
  [
    'a host that has no weights',
    { ...told(POWER.start), vm: vm('running'), weight: mark(OP.WEIGHT, 300), cpuUnavailable: 'no cpu controller' },
    { step: undefined, refusal: { op: OP.WEIGHT, value: 300, reason: 'Failed', message: 'no cpu controller' } },
  ],
  ['Manual: a target to set', manual(24, 'Converged'), { step: { do: 'memory', target: 384 } }],
  ['Manual: never below the floor', manual(1, 'Converged'), { step: { do: 'memory', target: 256 } }],
  [
    'Manual: on its way',
    manual(24, 'Moving', 384),
    { step: undefined, operation: { op: OP.BALLOON, value: 24, deadlineMs: NOW + 60_000 } },
  ],
  ['Manual: there', manual(32, 'Converged'), { step: undefined, operation: undefined }],
  [
    'Manual: a maximum raised since the start is not asked for',
    { ...manual(64, 'Converged'), vm: vm('running', { maxMiB: 512 }) },
    { step: undefined },
  ],
  ['Manual: stuck', manual(24, 'Stuck', 384), { step: { do: 'giveUpMemory', reason: 'Stuck', target: 512 } }],
  [
    'Manual: no driver in the guest',
    manual(24, 'DriverAbsent', 384),
    { step: { do: 'giveUpMemory', reason: 'DriverAbsent', target: 512 } },
  ],
  [
    'Manual: given up for this command',
    {
      ...manual(24, 'Converged'),
      memory: { ...NOTHING_REMEMBERED, balloon: { mark: mark(OP.BALLOON, 24), sinceMs: NOW, givenUp: 'Stuck' } },
    },
    { step: undefined, refusal: { op: OP.BALLOON, value: 24, reason: 'Stuck', message: expect.any(String) } },
  ],
  ['Auto: a target from before is not set', { ...manual(24, 'Converged'), balloonPolicy: 'Auto' }, { step: undefined }],
  // the end
  [
    'removed while running',
    { definition: { ...definition, remove: 'Retain' }, vm: vm('running'), ...told(POWER.start) },
    { step: { do: 'stop' } },
  ],
  [
    'removed while stopping',
    { definition: { ...definition, remove: 'Retain' }, vm: vm('stopping') },
    { step: undefined },
  ],
  [
    'removed and stopped',
    { definition: { ...definition, remove: 'Retain' } },
    { step: { do: 'release', disk: 'retain' } },
  ],
  [
    'removed and kept',
    { definition: { ...definition, remove: 'Retain' }, released: 1, sidecar: { ...sidecar, state: 'retained' } },
    { step: undefined, lifecycle: 'Removed' },
  ],
  [
    'kept, then to be deleted',
    { definition: { ...definition, remove: 'Delete' }, released: 1, sidecar: { ...sidecar, state: 'retained' } },
    { step: { do: 'release', disk: 'destroy' } },
  ],
  [
    'removed and deleted',
    { definition: { ...definition, remove: 'Delete' }, released: 1, sidecar: undefined, disk: undefined },
    { step: undefined, lifecycle: 'Removed' },
  ],
  [
    'not removed for good while the fence is lost',
    { definition: { ...definition, remove: 'Delete' }, fenceLost: true },
    { step: undefined, error: { code: 'FenceUnreadable', message: expect.any(String) } },
  ],
]

test.each(cases)('%s', (_, given, expected) => {
  const plan = planArchive(view(given))
  for (const [key, value] of Object.entries(expected)) expect(plan[key as keyof ArchivePlan]).toEqual(value)
})
