// Packets of a file that tcpdump(8) wrote, with the kernel's own times. A hundred files are read faster than by a
// hundred runs of tcpdump.
import { readFileSync } from 'node:fs'

export interface PcapPacket {
  /** Wall clock, milliseconds since 1970, to the microsecond. */
  atMs: number
  /** From the link layer on. */
  bytes: Buffer
}

/** pcap-savefile(5): microseconds, in the byte order of whoever wrote. */
const MAGIC = 0xa1b2c3d4
const FILE_HEADER_BYTES = 24
const PACKET_HEADER_BYTES = 16

/** Throws when it is no such file. */
export function readPcap(file: string): PcapPacket[] {
  const all = readFileSync(file)
  const little = all.length >= FILE_HEADER_BYTES && all.readUInt32LE(0) === MAGIC
  if (!little && (all.length < FILE_HEADER_BYTES || all.readUInt32BE(0) !== MAGIC))
    throw new Error(`${file} is no pcap file`)
  const u32 = (at: number) => (little ? all.readUInt32LE(at) : all.readUInt32BE(at))
  const packets: PcapPacket[] = []
  for (let at = FILE_HEADER_BYTES; at + PACKET_HEADER_BYTES <= all.length; ) {
    const length = u32(at + 8)
    const begin = at + PACKET_HEADER_BYTES
    packets.push({ atMs: u32(at) * 1000 + u32(at + 4) / 1000, bytes: all.subarray(begin, begin + length) })
    at = begin + length
  }
  return packets
}

/** What a datagram or segment carries; the packet begins with its IPv4 header, as on a tunnel. */
export function payloadOf(packet: Buffer): Buffer {
  const ip = ((packet[0] ?? 0) & 15) * 4
  const udp = packet[9] === 17
  const total = packet.readUInt16BE(2)
  return packet.subarray(ip + (udp ? 8 : ((packet[ip + 12] ?? 0) >> 4) * 4), total)
}
