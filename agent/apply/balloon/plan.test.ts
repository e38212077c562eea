import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { BundlePool } from '../../../protocol/bundle/document.ts'
import { type BalloonVm, NO_BALLOON_MEMORY, planBalloon, VM_OVERHEAD_MIB } from './plan.ts'
import { shareMemory } from './shares.ts'

const pool: BundlePool = {
  reservedMiB: 512,
  overcommitPercent: 200,
  balloon: { policy: 'Auto', lowWatermarkPercent: 15, highWatermarkPercent: 30, emergencyPercent: 5 },
  reservedWeight: 100,
}

interface Guest {
  floorMiB: number
  maxMiB: number
  weight: number
  /** Pages it has touched and would touch. */
  wantsMiB: number
  /** Takes memory back, unasked, below this. */
  needsMiB: number
}

/** A host of guests in one-second steps: balloons move 256 MiB a second, guests touch what they want of what they have. */
function simulate(physicalMiB: number, guests: Guest[], otherMiB: (second: number) => number, seconds: number) {
  let memory = NO_BALLOON_MEMORY
  const vms: (BalloonVm & { resident: number })[] = guests.map((g, i) => ({
    id: String(i),
    floorMiB: g.floorMiB,
    maxMiB: g.maxMiB,
    weight: g.weight,
    actualMiB: g.maxMiB,
    targetMiB: g.maxMiB,
    balloon: 'Converged',
    resident: 0,
  }))
  const history: { targets: number[]; free: number }[] = []
  for (let second = 0; second < seconds; second++) {
    for (const [i, vm] of vms.entries()) {
      const step = Math.min(256, Math.abs(vm.targetMiB - vm.actualMiB))
      vm.actualMiB += Math.sign(vm.targetMiB - vm.actualMiB) * step
      vm.balloon = vm.actualMiB === vm.targetMiB ? 'Converged' : 'Moving'
      if (vm.actualMiB < guests[i]!.needsMiB) {
        vm.actualMiB = guests[i]!.needsMiB
        vm.balloon = vm.actualMiB > vm.targetMiB ? 'Drifted' : vm.balloon
      }
      vm.resident = Math.min(vm.actualMiB, guests[i]!.wantsMiB)
    }
    const used = vms.reduce((sum, vm) => sum + vm.resident + VM_OVERHEAD_MIB, 0)
    const free = Math.max(0, physicalMiB - otherMiB(second) - used)
    const input = { policy: pool, physicalMiB, freeMiB: free, psiSomeAvg10: 0, vms, heldMiB: 0, nowMs: second * 1000 }
    const plan = planBalloon(memory, input)
    memory = plan.memory
    for (const { id, target } of plan.targets) vms[Number(id)]!.targetMiB = target
    history.push({ targets: vms.map((vm) => vm.targetMiB), free })
  }
  return { history, vms }
}

const unit = (low: number, high: number) => fc.integer({ min: low / 16, max: high / 16 }).map((n) => n * 16)
const guest: fc.Arbitrary<Guest> = unit(128, 512).chain((floorMiB) =>
  unit(floorMiB, 2048).chain((maxMiB) =>
    fc.record({
      floorMiB: fc.constant(floorMiB),
      maxMiB: fc.constant(maxMiB),
      weight: fc.integer({ min: 1, max: 1000 }),
      wantsMiB: fc.integer({ min: 64, max: maxMiB }),
      needsMiB: fc.integer({ min: 32, max: maxMiB }),
    }),
  ),
)

const load = [fc.array(guest, { minLength: 1, maxLength: 6 }), unit(4096, 16384), unit(0, 2048)] as const

/** How often a path goes the other way. */
function turns(path: number[]): number {
  const directions = path.map((t, s) => Math.sign(t - path[Math.max(0, s - 1)]!)).filter((d) => d !== 0)
  return directions.slice(1).filter((d, s) => d !== directions[s]).length
}

test('a steady load: each target changes direction at most once and then stands still', () => {
  fc.assert(
    fc.property(...load, (guests, physical, other) => {
      const content = guests.map((g) => ({ ...g, needsMiB: Math.min(g.needsMiB, g.floorMiB) }))
      const { history } = simulate(physical, content, () => other, 200)
      for (const [i, g] of guests.entries()) {
        const path = history.map((h) => h.targets[i]!)
        expect(turns(path)).toBeLessThanOrEqual(1)
        const late = path.slice(100)
        expect(Math.max(...late) - Math.min(...late)).toBeLessThanOrEqual(g.maxMiB * 0.02)
      }
    }),
    { numRuns: 300 },
  )
})

test('guests that need more than their share: what each needs is learnt, and then every target stands still', () => {
  fc.assert(
    fc.property(...load, (guests, physical, other) => {
      const { history } = simulate(physical, guests, () => other, 300)
      for (const [i, g] of guests.entries()) {
        const late = history.slice(200).map((h) => h.targets[i]!)
        expect(Math.max(...late) - Math.min(...late)).toBeLessThanOrEqual(g.maxMiB * 0.02)
      }
    }),
    { numRuns: 300 },
  )
})

test('floors bind and nobody gets more than the maximum, whatever the pressure', () => {
  fc.assert(
    fc.property(
      fc.array(guest, { minLength: 1, maxLength: 6 }),
      unit(1024, 8192),
      fc.array(fc.integer({ min: 0, max: 8192 }), { minLength: 60, maxLength: 60 }),
      (guests, physical, others) => {
        const { history } = simulate(physical, guests, (s) => others[s]!, 60)
        for (const { targets } of history)
          for (const [i, target] of targets.entries()) {
            expect(target).toBeGreaterThanOrEqual(guests[i]!.floorMiB)
            expect(target).toBeLessThanOrEqual(guests[i]!.maxMiB)
          }
      },
    ),
  )
})

const eager = (floorMiB: number, maxMiB: number, weight = 100): Guest => ({
  floorMiB,
  maxMiB,
  weight,
  wantsMiB: maxMiB,
  needsMiB: 0,
})

test('below the low watermark memory comes back within seconds, to the middle between the watermarks', () => {
  const { history } = simulate(8192, [eager(256, 3072), eager(256, 3072)], (s) => (s < 100 ? 0 : 1536), 140)
  const free = (second: number) => history[second]!.free / 8192
  expect(free(99)).toBeGreaterThan(0.15)
  expect(free(110)).toBeGreaterThan(0.15)
  expect(free(139)).toBeLessThan(0.3)
})

test('below the emergency mark everyone goes to the floor at once, and back when it is over', () => {
  const { history } = simulate(8192, [eager(256, 2048), eager(512, 2048)], (s) => (s >= 50 && s < 60 ? 6000 : 512), 200)
  expect(history[50]!.targets).toEqual([256, 512])
  expect(history[199]!.targets[0]).toBeGreaterThan(1024)
})

test('what a guest took back unasked is its new target', () => {
  const { vms } = simulate(2048, [{ ...eager(256, 1024), needsMiB: 700 }, eager(256, 1024)], () => 512, 60)
  expect(vms[0]!.targetMiB).toBeGreaterThanOrEqual(700)
  expect(vms[1]!.targetMiB).toBeLessThan(vms[0]!.targetMiB)
})

test('a guest whose balloon does not move is left where it is, and the others make up for it', () => {
  const vm = (id: string, balloon: BalloonVm['balloon']): BalloonVm => ({
    id,
    floorMiB: 256,
    maxMiB: 2048,
    weight: 100,
    actualMiB: 2048,
    targetMiB: id === 'stuck' ? 1024 : 2048,
    balloon,
  })
  const vms = [vm('stuck', 'Stuck'), vm('other', 'Converged')]
  const input = { policy: pool, physicalMiB: 4096, freeMiB: 2000, psiSomeAvg10: 0, vms, heldMiB: 0, nowMs: 0 }
  const { targets } = planBalloon(NO_BALLOON_MEMORY, input)
  expect(targets).toEqual([
    { id: 'stuck', target: 2048 },
    { id: 'other', target: 1280 },
  ])
})

test('shares follow the weights where no bound is in the way', () => {
  const claim = (weight: number) => ({ floorMiB: 256, maxMiB: 8192, weight })
  expect(shareMemory(2560, [claim(100), claim(300)])).toEqual([768, 1792])
})

test('shares never exceed the budget that the floors leave', () => {
  const claim = fc.record({
    floorMiB: unit(128, 512),
    more: unit(0, 4096),
    weight: fc.integer({ min: 1, max: 10_000 }),
  })
  fc.assert(
    fc.property(fc.array(claim, { maxLength: 20 }), fc.integer({ min: 0, max: 20_000 }), (claims, budget) => {
      const shares = shareMemory(
        budget,
        claims.map((c) => ({ ...c, maxMiB: c.floorMiB + c.more })),
      )
      const floors = claims.reduce((sum, c) => sum + c.floorMiB, 0)
      expect(shares.reduce((sum, s) => sum + s, 0)).toBeLessThanOrEqual(Math.max(floors, budget))
    }),
  )
})
