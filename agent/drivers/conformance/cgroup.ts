// What every CPU group driver does.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ArchiveId } from '../../../protocol/ids.ts'
import type { CgroupDriver } from '../cgroup/port.ts'

export interface CgroupHarness {
  driver: CgroupDriver
  /** A VM that runs and has a group. */
  running: ArchiveId
  close(): Promise<void>
}

export function cgroupConformance(name: string, make: () => Promise<CgroupHarness>): void {
  describe(`${name} cgroup driver`, () => {
    let h: CgroupHarness
    beforeEach(async () => {
      h = await make()
    })
    afterEach(() => h.close())

    test('a VM without a group has no weight', async () => {
      expect(await h.driver.weight('f'.repeat(32))).toBeUndefined()
    })

    test('a weight that was set is read back, at both ends of its range, and setting it again is no error', async () => {
      for (const weight of [1, 100, 10_000, 10_000]) {
        await h.driver.setWeight(h.running, weight)
        expect(await h.driver.weight(h.running)).toBe(weight)
      }
    })

    test('a weight out of range is refused and changes nothing', async () => {
      await h.driver.setWeight(h.running, 300)
      for (const weight of [0, 10_001, 1.5]) await expect(h.driver.setWeight(h.running, weight)).rejects.toThrow()
      expect(await h.driver.weight(h.running)).toBe(300)
    })

    test('a host with the controller gives no reason against it', () => {
      expect(h.driver.unavailable()).toBeUndefined()
    })
  })
}
