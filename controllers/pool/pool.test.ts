import { describe, expect, test } from 'vitest'
import { ANNOTATION } from '../../api/meta.ts'
import type { MiB } from '../../protocol/ids.ts'
import { NAME, NODE, runningFleet, STARTED } from '../testing/archive-fleet.ts'
import type { PoolObject } from './plan.ts'
import { poolFault, poolPolicy } from './policy.ts'

const KEY = `ResourcePool/${NODE}`
const MEMORY = { reservedForHost: '1Gi', overcommitPercent: 150 }

async function pooled(memory: object = MEMORY) {
  const fleet = await runningFleet()
  const { store, bundles } = fleet.fake
  const other = { nodeName: 'hub-1' }
  store.put('ResourcePool', 'hub-1', other, { uid: 'uid-other-pool' })
  const declare = async (memory: object, annotations: Record<string, string> = {}) => {
    store.put('ResourcePool', NODE, { nodeName: NODE, memory }, { uid: 'uid-pool', annotations })
    await fleet.settle()
  }
  await declare(memory)
  const object = () => store.get('ResourcePool', NODE)
  return {
    ...fleet,
    declare,
    object,
    of: (type: string) => {
      const found = object()?.status?.conditions.find((c) => c.type === type)
      return found && `${found.status} ${found.reason}`
    },
    policy: () => bundles.state(NODE).content?.pool,
  }
}

describe('the policy', () => {
  test('reaches the node in its bundle, and is Ready when telemetry shows that applied', async () => {
    const pool = await pooled()
    expect(pool.policy()).toMatchObject({ reservedMiB: 1024, overcommitPercent: 150, reservedWeight: 100 })
    expect(pool.of('Ready')).toBe('False BundlePending')
    await pool.applied({}, STARTED)
    expect(pool.of('Ready')).toBe('True Applied')
  })

  test('is Unknown while the node is silent, and its figures stay', async () => {
    const pool = await pooled()
    await pool.applied({}, STARTED)
    const before = pool.object()?.status?.freeMiB
    pool.fake.fleet.set({ ...pool.fake.fleet.view(NODE), liveness: 'Stale' })
    await pool.settle()
    expect(pool.of('Ready')).toBe('Unknown Silent')
    expect(pool.object()?.status).toMatchObject({ freeMiB: before, physicalMiB: 8192 })
  })

  test('with a fault changes nothing: what was in force stays, and the pool says why', () => {
    const spec = (balloon: object) =>
      ({
        kind: 'ResourcePool',
        metadata: { name: NODE, annotations: {} },
        spec: {
          nodeName: NODE,
          memory: {
            reservedForHost: '1Gi',
            overcommitPercent: 100,
            balloon: {
              policy: 'Auto',
              lowWatermarkPercent: 15,
              highWatermarkPercent: 30,
              emergencyPercent: 5,
              ...balloon,
            },
          },
          cpu: { reservedWeight: 100 },
        },
      }) as unknown as PoolObject
    const inForce = poolPolicy(spec({}))
    const crossed = spec({ lowWatermarkPercent: 30 })
    expect(poolFault(crossed)).toMatchObject({ reason: 'WatermarksInvalid' })
    expect(poolPolicy(crossed, inForce)).toBe(inForce)
    expect(poolFault({ ...spec({}), metadata: { ...spec({}).metadata, name: 'other' } })).toMatchObject({
      reason: 'NameDiffers',
    })
    expect(poolFault(spec({}))).toBeUndefined()
  })

  test('none means defaults', () => {
    expect(poolPolicy(undefined)).toEqual({
      reservedMiB: 512,
      overcommitPercent: 100,
      balloon: { policy: 'Auto', lowWatermarkPercent: 15, highWatermarkPercent: 30, emergencyPercent: 5 },
      reservedWeight: 100,
    })
  })
})

describe('the figures', () => {
  test('physical, reserved, floors, maxima, reclaimable, free, pressure, and each archive', async () => {
    const pool = await pooled()
    await pool.applied({}, STARTED)
    expect(pool.object()?.status).toMatchObject({
      physicalMiB: 8192,
      reservedMiB: 1024,
      floorsMiB: 256,
      maximaMiB: 1024,
      reclaimableMiB: 8192 - 1024 - 256,
      freeMiB: 4096,
      pressure: 'None',
      archives: [{ namespace: 'vault', name: NAME, actualMiB: 1024, targetMiB: 1024, weight: 100 }],
    })
  })

  test('move in steps: a frame that differs by less writes nothing (law 6)', async () => {
    const pool = await pooled()
    await pool.applied({}, STARTED)
    const before = pool.object()?.metadata.resourceVersion
    const free = (memoryFreeMiB: number) => ({
      usage: { memoryFreeMiB: memoryFreeMiB as MiB, pressure: 'None' as const },
    })
    pool.fake.fleet.hear(NODE, free(4000))
    await pool.settle()
    expect(pool.object()?.metadata.resourceVersion).toBe(before)
    pool.fake.fleet.hear(NODE, free(3000))
    await pool.settle()
    expect(pool.object()?.status?.freeMiB).toBe(3000)
  })

  test('an overhead that the node measured is shown, and counted with instead of 128 MiB a VM', async () => {
    const pool = await pooled({ reservedForHost: '7600Mi', overcommitPercent: 400 })
    await pool.applied({}, STARTED)
    expect(pool.object()?.status).not.toHaveProperty('vmOverheadMiB')
    expect(pool.of('Ready')).toBe('True Applied')
    const usage = { memoryFreeMiB: 4096 as MiB, pressure: 'None' as const }
    pool.fake.fleet.hear(NODE, { usage: { ...usage, vmOverheadMiB: 400 as MiB } })
    await pool.settle()
    expect(pool.object()?.status).toMatchObject({ vmOverheadMiB: 400 })
    expect(pool.of('Stalled')).toBe('True Overcommitted')
  })

  test('what was admitted and no longer fits is Overcommitted and stays', async () => {
    const pool = await pooled({ reservedForHost: '7600Mi' })
    await pool.applied({}, STARTED)
    expect(pool.of('Stalled')).toBe('True Overcommitted')
    const stalled = pool.object()?.status?.conditions.find((c) => c.type === 'Stalled')
    expect(stalled?.message).toContain('edge-2 has 592 MiB (8192 less 7600 reserved)')
    expect(pool.condition('Admitted')).toBe('True Overcommitted')
    expect(pool.condition('Ready')).toBe('True Running')
  })
})

describe('deletion', () => {
  test('the defaults return, and it goes when telemetry shows them applied', async () => {
    const pool = await pooled()
    await pool.applied({}, STARTED)
    pool.fake.store.bury(KEY)
    await pool.settle()
    expect(pool.policy()).toMatchObject({ reservedMiB: 512, overcommitPercent: 100 })
    expect(pool.of('Deleting')).toBe('True DefaultsReturn')
    await pool.applied({}, STARTED)
    expect(pool.object()).toBeUndefined()
  })

  test('held, it stays in force', async () => {
    const pool = await pooled()
    await pool.applied({}, STARTED)
    pool.fake.store.bury('ResourcePool/hub-1')
    await pool.settle()
    pool.fake.store.bury(KEY)
    await pool.settle()
    expect(pool.of('Stalled')).toBe('True DeletionHeld')
    expect(pool.policy()).toMatchObject({ reservedMiB: 1024 })
  })

  test('Orphan does not wait for the node', async () => {
    const pool = await pooled()
    await pool.declare(MEMORY, { [ANNOTATION.deletion]: 'Orphan' })
    pool.fake.store.bury(KEY)
    await pool.settle()
    expect(pool.object()).toBeUndefined()
  })
})
