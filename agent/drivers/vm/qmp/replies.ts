// What QEMU answers, as far as it is looked at (docs/interop/qemu-qmp-ref of QEMU 7.2).
import { z } from 'zod'

/** query-status. `prelaunch` with -S; `shutdown` and `guest-panicked` keep a process whose guest has ended. */
export const statusReply = z.object({ status: z.string(), running: z.boolean() })
/** query-balloon: bytes. */
export const balloonReply = z.object({ actual: z.number().nonnegative() })
/** query-cpus-fast: the thread of each processor. */
export const cpusReply = z.array(z.object({ 'thread-id': z.int() }))
/** query-kvm. Without KVM it is TCG: nothing else is ever asked for. */
export const kvmReply = z.object({ enabled: z.boolean() })
export const uuidReply = z.object({ UUID: z.string() })

/** A guest that has not told a figure leaves 2^64-1 in its place, which JSON.parse rounds to 2^64. */
const UNSET = 2 ** 63
const figure = z.number().transform((value) => (value >= UNSET || value < 0 ? undefined : value))
/** qom-get guest-stats of the balloon. `last-update`: seconds since 1970; 0: the guest's driver never spoke. */
export const guestStatsReply = z.object({
  'last-update': z.number().nonnegative(),
  stats: z
    .object({
      'stat-free-memory': figure.optional(),
      'stat-total-memory': figure.optional(),
      'stat-available-memory': figure.optional(),
      'stat-disk-caches': figure.optional(),
      'stat-major-faults': figure.optional(),
      'stat-swap-out': figure.optional(),
    })
    .loose(),
})

/** Event SHUTDOWN: the reason says whether guest or host ended it. */
export const shutdownEvent = z.object({ guest: z.boolean(), reason: z.string() })
/** Event BLOCK_IO_ERROR. */
export const ioErrorEvent = z.object({ operation: z.string(), nospace: z.boolean().optional(), reason: z.string() })
