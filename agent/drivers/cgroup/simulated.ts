// CPU groups of a simulated hypervisor. A group is made with its VM, or by the first weight set.
import type { SimulatedMachine } from '../vm/simulated-machine.ts'
import type { CgroupDriver } from './port.ts'

/** `unavailable` models a host without the cpu controller: every weight is refused with that text. */
export function simulatedCgroupDriver(machine: SimulatedMachine, unavailable?: string): CgroupDriver {
  return {
    weight: async (id) => machine.now().weights[id],
    setWeight: async (id, weight) => {
      if (unavailable) throw new Error(unavailable)
      if (!Number.isInteger(weight) || weight < 1 || weight > 10_000) throw new RangeError(`cpu.weight ${weight}`)
      if (machine.now().weights[id] === weight) return
      await machine.change((state) => {
        state.weights[id] = weight
        return [{ type: 'changed', id }]
      })
    },
    unavailable: () => unavailable,
  }
}
