// What reaches each member of a crowd, and when: captured inside its namespace, behind the tunnel, stamped by the kernel.
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { NAME } from '../../system/wireguard/machine.ts'
import { inBatches } from '../network.ts'
import { type PcapPacket, payloadOf, readPcap } from '../pcap.ts'
import type { Crowd, Member } from './crowd.ts'

export interface Heard extends PcapPacket {
  payload: Buffer
}

export interface Hearing {
  /** Packets that carry something, by the member's mesh address, in their order. */
  stop(): Promise<Map<string, Heard[]>>
}

const AT_ONCE = 8
/** A capture's own block time: what was seen is in the file after this at the latest. */
const SETTLE_MS = 1_500
/** Of the ring that the kernel fills, KiB: the default of 2 MiB, a hundred times, is too much for a small machine. */
const RING_KIB = '1024'

/** `filter` as in pcap-filter(7). Resolves when everybody listens. */
export async function startHearing(crowd: Crowd, filter: string): Promise<Hearing> {
  const folder = path.join(crowd.folder, 'heard')
  mkdirSync(folder, { recursive: true })
  const fileOf = (member: Member) => path.join(folder, `${member.name}.pcap`)
  const stops: (() => Promise<unknown>)[] = []
  await inBatches(crowd.members, AT_ONCE, async (member) => {
    // No immediate mode: a hundred captures that wake up for every packet would be what is measured.
    const args = ['-i', NAME, '-n', '-s', '256', '-B', RING_KIB, '-Z', 'root', '-w', fileOf(member), filter]
    const child = member.namespace.spawn('tcpdump', args, { stdio: ['ignore', 'ignore', 'pipe'] })
    if (!child.stderr) throw new Error('no pipe')
    // Closed, not only ended: its last words are read by then.
    const ended = once(child, 'close')
    const lines = createInterface({ input: child.stderr })
    const said: string[] = []
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error(`tcpdump ended: ${said.join(' / ')}`)))
      lines.on('line', (line) => {
        said.push(line)
        if (/listening on/.test(line)) resolve()
      })
    })
    stops.push(async () => {
      child.kill('SIGINT')
      await ended
      // What the capture itself lost would look like a loss of the tunnel.
      if (!said.includes('0 packets dropped by kernel')) throw new Error(`${member.name}: ${said.join(' / ')}`)
    })
  })
  return {
    async stop() {
      await sleep(SETTLE_MS)
      await Promise.all(stops.map((stop) => stop()))
      return new Map(
        crowd.members.map((member) => {
          const packets = readPcap(fileOf(member)).map((p) => ({ ...p, payload: payloadOf(p.bytes) }))
          return [member.address, packets.filter(({ payload }) => payload.length > 0)]
        }),
      )
    },
  }
}
