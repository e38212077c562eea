// Puts the copies of commands on the wire at their pace; the shell around copy-queue.ts.
import type { Clock } from '../../base/clock.ts'
import type { UdpSocket } from '../../base/transport.ts'
import type { Brake } from '../brake.ts'
import { type Metrics, noMetrics } from '../metrics.ts'
import { COPY_TICK_MS, copyQueue } from './copy-queue.ts'

export interface CopySender {
  /** Queues one copy for each address, behind all that is queued. */
  send(bytes: Uint8Array, addresses: readonly string[]): void
}

export function copySender(
  options: { clock: Clock; brake: Pick<Brake, 'guard'>; socket: UdpSocket; port: number; metrics?: Metrics },
  signal: AbortSignal,
): CopySender {
  const { clock, brake, socket, port, metrics = noMetrics } = options
  const queue = copyQueue()
  let running = false

  const tick = async (): Promise<void> => {
    const free = await brake.guard()
    // Under the brake they are dropped, not kept: a copy is of use only together with its command.
    if (!free || signal.aborted) metrics.count('ppn_command_copies_total', 'DroppedBraked', queue.clear())
    for (const { bytes, address } of queue.take(clock.monotonic())) {
      socket.send(bytes, address, port).then(
        () => metrics.count('ppn_command_copies_total', 'Sent'),
        () => metrics.count('ppn_command_copies_total', 'Failed'),
      )
    }
    metrics.gauge('ppn_command_copies_queued', queue.size())
    running = queue.size() > 0
    if (running) clock.after(COPY_TICK_MS, () => void tick())
  }

  return {
    send(bytes, addresses) {
      const dropped = queue.add(bytes, addresses)
      if (dropped > 0) metrics.count('ppn_command_copies_total', 'DroppedQueueFull', dropped)
      if (running || queue.size() === 0) return
      running = true
      clock.after(0, () => void tick())
    },
  }
}
