// The first 30 s of a machine without a fleet: it listens for authorities on its local networks. A beacon is a hint and
// no more: it says whom to call. DHCP and DNS are not asked.
import type { Clock } from '../../base/clock.ts'
import { type Beacon, readBeacon } from '../../protocol/beacon.ts'

export const SCAN_MS = 30_000
/** A flood of made-up beacons makes this machine call no more places than this. */
export const FOUND_AT_MOST = 8

/** Where a beacon came from, and what it said. */
export interface Found extends Beacon {
  address: string
}

export interface ScanOptions {
  clock: Clock
  /** Hears UDP 8090 of every local network, until closed. */
  listen(onPacket: (bytes: Uint8Array, from: string) => void): Promise<{ close(): void }>
  /** Once for every address that sent one. */
  onFound(found: Found): void
}

/** Resolves after the window; rejects when nothing can be heard, and with the abort's reason. */
export async function scan(options: ScanOptions, signal: AbortSignal): Promise<void> {
  const seen = new Set<string>()
  const socket = await options.listen((bytes, address) => {
    const beacon = readBeacon(bytes)
    if (!beacon || seen.has(address) || seen.size >= FOUND_AT_MOST) return
    seen.add(address)
    options.onFound({ address, ...beacon })
  })
  try {
    await options.clock.sleep(SCAN_MS, signal)
  } finally {
    socket.close()
  }
}
