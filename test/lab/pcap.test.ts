import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { payloadOf, readPcap } from './pcap.ts'

const folder = mkdtempSync(join(tmpdir(), 'ppn-pcap-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** An IPv4 packet: 20 bytes of header, `more` of the next, the payload, and what the link layer padded it with. */
function packet(protocol: number, more: Buffer, payload: string, padding = 0): Buffer {
  const ip = Buffer.alloc(20)
  ip[0] = 0x45
  ip[9] = protocol
  ip.writeUInt16BE(20 + more.length + payload.length, 2)
  return Buffer.concat([ip, more, Buffer.from(payload), Buffer.alloc(padding)])
}

function fileOf(packets: Buffer[]): string {
  const header = Buffer.alloc(24)
  header.writeUInt32LE(0xa1b2c3d4)
  const parts = packets.flatMap((bytes, i) => {
    const h = Buffer.alloc(16)
    h.writeUInt32LE(1_700_000_000 + i)
    h.writeUInt32LE(250_000, 4)
    h.writeUInt32LE(bytes.length, 8)
    return [h, bytes]
  })
  const file = join(folder, 'a.pcap')
  writeFileSync(file, Buffer.concat([header, ...parts]))
  return file
}

test('every packet is read with its time, and a cut last one is left out by its length', () => {
  const tcp = Buffer.alloc(24)
  tcp[12] = 6 << 4
  const file = fileOf([packet(17, Buffer.alloc(8), 'sixteen bytes ok', 6), packet(6, tcp, 'MSG')])
  const packets = readPcap(file)
  expect(packets.map((p) => p.atMs)).toEqual([1_700_000_000_250, 1_700_000_001_250])
  expect(packets.map((p) => payloadOf(p.bytes).toString())).toEqual(['sixteen bytes ok', 'MSG'])
})

test('anything else is refused', () => {
  const file = join(folder, 'b.pcap')
  writeFileSync(file, 'x'.repeat(40))
  expect(() => readPcap(file)).toThrow('is no pcap file')
})
