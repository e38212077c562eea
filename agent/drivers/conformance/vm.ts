// What every VM driver does, whatever runs the machines.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { STOP_LADDER } from '../figures.ts'
import type { VmDriver, VmEnd, VmEvent, VmSpec, VmState } from '../vm/port.ts'
import { eventually, type Pass } from './harness.ts'

/** Guests a suite asks for. */
export type GuestKind = 'willing' | 'gives nothing back' | 'no balloon driver' | 'deaf to the power button' | 'crashes'

export interface VmHarness {
  driver: VmDriver
  /**
   * A VM with a disk whose guest is of this kind, a floor of 128 MiB and a maximum of 512 MiB at least; undefined when
   * this driver's host cannot make one, which skips the test. A crashing guest ends within `withinMs` of its boot.
   */
  spec(kind: GuestKind): Promise<VmSpec | undefined>
  pass: Pass
  /** The agent's process dies and another starts: its driver. */
  reopen(): Promise<VmDriver>
  /** Longest time from start to a guest that answers. */
  bootMs: number
  /** Longest time in which a willing guest shuts down, crashes, or moves between floor and maximum. */
  withinMs: number
  close(): Promise<void>
}

const LADDER_MS = STOP_LADDER.reduce((sum, { limitMs }) => sum + limitMs, 0)
/** 3 s without movement, and room for polling. */
const STUCK_MS = 5_000

export function vmConformance(name: string, make: () => Promise<VmHarness>): void {
  describe(`${name} VM driver`, () => {
    let h: VmHarness
    beforeEach(async () => {
      h = await make()
    })
    afterEach(() => h.close())

    const stateOf = async (spec: VmSpec, driver = h.driver): Promise<VmState> => {
      const found = (await driver.list()).find(({ id }) => id === spec.id)
      if (!found) throw new Error(`${spec.id} is not listed`)
      return found
    }
    const becomes = (spec: VmSpec, withinMs: number, check: (state: VmState) => boolean) =>
      eventually(h.pass, withinMs, () => stateOf(spec), check)
    /** A state may show before the event that tells of it is out. */
    const told = async (ends: VmEvent[], wanted: VmEvent) => {
      await eventually(
        h.pass,
        h.withinMs,
        async () => ends,
        ({ length }) => length > 0,
      )
      expect(ends).toEqual([wanted])
    }
    const booted = async (spec: VmSpec) => {
      await h.driver.start(spec)
      await becomes(spec, h.bootMs, ({ lifecycle }) => lifecycle === 'running')
    }
    /** A test about one guest, skipped where there is none of that kind. */
    const about = (kind: GuestKind, title: string, fn: (spec: VmSpec) => Promise<void>) =>
      test(title, async ({ skip }) => {
        const spec = await h.spec(kind)
        if (!spec) return skip(`this host cannot make a guest that is: ${kind}`)
        await fn(spec)
      })

    about(
      'willing',
      'a VM that was never started is not listed, and stopping or cutting it is no error',
      async ({ id }) => {
        await h.driver.stop(id)
        await h.driver.cut(id)
        expect(await h.driver.list()).toEqual([])
      },
    )

    about('willing', 'a started VM comes up with all its memory, and a second start changes nothing', async (spec) => {
      await h.driver.start(spec)
      expect(['starting', 'running']).toContain((await stateOf(spec)).lifecycle)
      await h.driver.start(spec)
      const up = await becomes(spec, h.bootMs, ({ lifecycle }) => lifecycle === 'running')
      await h.driver.start(spec)
      expect(await h.driver.list()).toHaveLength(1)
      expect(up).toMatchObject({ slot: spec.slot, memoryActualMiB: spec.maxMiB, balloon: 'Converged' })
      expect(up.end).toBeUndefined()
    })

    about('willing', 'a graceful stop ends with the guest shutting down, told once', async (spec) => {
      await booted(spec)
      const ends: VmEvent[] = []
      h.driver.subscribe((event) => void (event.type === 'ended' && ends.push(event)))
      await h.driver.stop(spec.id)
      expect((await stateOf(spec)).lifecycle).toBe('stopping')
      await h.driver.stop(spec.id)
      const ended = await becomes(spec, h.withinMs, ({ lifecycle }) => lifecycle === 'stopped')
      expect(ended.end).toBe('guest-shutdown')
      const once: VmEvent = { type: 'ended', id: spec.id, end: 'guest-shutdown' }
      await told(ends, once)
      await h.driver.stop(spec.id)
      expect((await stateOf(spec)).lifecycle).toBe('stopped')
      expect(ends).toEqual([once])
    })

    about('willing', 'a VM that is still stopping is not started a second time', async (spec) => {
      await booted(spec)
      await h.driver.stop(spec.id)
      await expect(h.driver.start(spec)).rejects.toThrow()
    })

    about('willing', 'a cut ends it at once, and it can be started again', async (spec) => {
      await booted(spec)
      await h.driver.cut(spec.id)
      await becomes(spec, 2_000, ({ lifecycle, end }) => lifecycle === 'stopped' && end === 'host-quit')
      await booted(spec)
      expect((await stateOf(spec)).end).toBeUndefined()
    })

    about('willing', 'a paused VM uses no processor and goes on where it was', async (spec) => {
      await booted(spec)
      await h.driver.pause(spec.id)
      await h.driver.pause(spec.id)
      const paused = await stateOf(spec)
      expect(paused.lifecycle).toBe('paused')
      await h.pass(2_000)
      expect((await stateOf(spec)).cpuTimeMs).toBe(paused.cpuTimeMs)
      await h.driver.resume(spec.id)
      await h.driver.resume(spec.id)
      expect((await stateOf(spec)).lifecycle).toBe('running')
      await becomes(spec, h.withinMs, ({ cpuTimeMs }) => cpuTimeMs > paused.cpuTimeMs)
    })

    about('willing', 'a paused VM is resumed to be stopped gracefully', async (spec) => {
      await booted(spec)
      await h.driver.pause(spec.id)
      await h.driver.stop(spec.id)
      const ended = await becomes(spec, h.withinMs, ({ lifecycle }) => lifecycle === 'stopped')
      expect(ended.end).toBe('guest-shutdown')
    })

    about('willing', 'a stopped VM cannot be paused, resumed or resized', async (spec) => {
      await booted(spec)
      await h.driver.cut(spec.id)
      await expect(h.driver.pause(spec.id)).rejects.toThrow()
      await expect(h.driver.resume(spec.id)).rejects.toThrow()
      await expect(h.driver.setMemoryTarget(spec.id, spec.maxMiB)).rejects.toThrow()
    })

    about('willing', 'a guest follows its memory target down and up', async (spec) => {
      await booted(spec)
      for (const target of [spec.floorMiB, spec.maxMiB]) {
        await h.driver.setMemoryTarget(spec.id, target)
        await becomes(spec, h.withinMs, (s) => s.balloon === 'Converged' && s.memoryActualMiB === target)
      }
    })

    about('willing', 'the floor binds on the host, and no target exceeds the maximum', async (spec) => {
      await booted(spec)
      await h.driver.setMemoryTarget(spec.id, 1)
      expect((await stateOf(spec)).memoryTargetMiB).toBe(spec.floorMiB)
      await h.driver.setMemoryTarget(spec.id, spec.maxMiB * 2)
      expect((await stateOf(spec)).memoryTargetMiB).toBe(spec.maxMiB)
    })

    about(
      'gives nothing back',
      'a guest that gives nothing back is Stuck, and its target is what it has',
      async (spec) => {
        await booted(spec)
        await h.driver.setMemoryTarget(spec.id, spec.floorMiB)
        const stuck = await becomes(spec, STUCK_MS, ({ balloon }) => balloon === 'Stuck')
        expect(Math.abs(stuck.memoryTargetMiB - stuck.memoryActualMiB)).toBeLessThanOrEqual(16)
        expect(stuck.memoryActualMiB).toBeGreaterThan(spec.floorMiB)
      },
    )

    about(
      'no balloon driver',
      'a guest without a balloon driver is DriverAbsent, though the command was taken',
      async (spec) => {
        await booted(spec)
        await h.driver.setMemoryTarget(spec.id, spec.floorMiB)
        const absent = await becomes(spec, STUCK_MS, ({ balloon }) => balloon === 'DriverAbsent')
        expect(absent.memoryActualMiB).toBe(spec.maxMiB)
      },
    )

    about('deaf to the power button', 'the stop ladder ends a guest that ignores power-down', async (spec) => {
      await booted(spec)
      await h.driver.stop(spec.id)
      await h.pass(STOP_LADDER[0].limitMs / 2)
      expect((await stateOf(spec)).lifecycle).toBe('stopping')
      const ended = await becomes(spec, LADDER_MS, ({ lifecycle }) => lifecycle === 'stopped')
      expect(ended.end).toBe('host-quit')
    })

    about('crashes', 'a crash is told as what it was, and the VM can be started again', async (spec) => {
      const ends: VmEvent[] = []
      h.driver.subscribe((event) => void (event.type === 'ended' && ends.push(event)))
      await h.driver.start(spec)
      const crashed = await becomes(spec, h.bootMs + h.withinMs, ({ lifecycle }) => lifecycle === 'crashed')
      expect(['guest-panic', 'process-died']).toContain(crashed.end)
      await told(ends, { type: 'ended', id: spec.id, end: crashed.end as VmEnd })
      await h.driver.start(spec)
      expect(['starting', 'running']).toContain((await stateOf(spec)).lifecycle)
    })

    about('willing', 'a VM outlives the agent and is found again, not started twice', async (spec) => {
      await booted(spec)
      const before = await stateOf(spec)
      const driver = await h.reopen()
      const after = await stateOf(spec, driver)
      expect(after).toMatchObject({ id: spec.id, slot: spec.slot, lifecycle: 'running' })
      expect(after.cpuTimeMs).toBeGreaterThanOrEqual(before.cpuTimeMs)
      await driver.start(spec)
      expect(await driver.list()).toHaveLength(1)
    })

    about('willing', 'who has unsubscribed hears nothing', async (spec) => {
      const heard: VmEvent[] = []
      h.driver.subscribe((event) => void heard.push(event))()
      await booted(spec)
      expect(heard).toEqual([])
    })
  })
}
