// Connections that say nothing, say it a byte at a time, or say too much: on every port. Timers run on a virtual clock,
// so that thirty seconds of silence take none.
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Registry } from 'prom-client'
import { afterEach, describe, expect, test } from 'vitest'
import { holdingEndpoint, OPEN_AT_MOST } from '../../agent/genesis/endpoint.ts'
import { serveAdmin } from '../../authority/admin/server.ts'
import { serveObservability } from '../../authority/main/observability.ts'
import { frameReader, lengthFrame } from '../../base/length-frames.ts'
import { silentLogger } from '../../base/log.ts'
import type { Connection } from '../../base/transport.ts'
import { SYNC_FRAME_LIMIT } from '../../protocol/sync/frame.ts'
import { FRAME_LIMIT } from '../../protocol/telemetry/frame.ts'
import { memoryNetwork } from '../../testing/memory-network.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { type Fleet, PAIRING_ADDRESS, startFleet } from '../fleet/harness.ts'
import { office } from '../fleet/objects.ts'
import { AUTHORITY, addressOf, forge, PORT, refusals } from '../fleet/wire.ts'

const never = new AbortController().signal
const MIB = 1024 * 1024

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
function heldBytes(): number {
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

test('a frame that comes a byte at a time holds no more than twice its bytes: a length alone reserves nothing', () => {
  const readers: ReturnType<typeof frameReader>[] = []
  const before = heldBytes()
  for (let i = 0; i < 64; i++) {
    const reader = frameReader(SYNC_FRAME_LIMIT, () => {})
    reader.push(lengthFrame(new Uint8Array(0)).fill(0).with(1, 0x10))
    readers.push(reader)
  }
  // 64 connections have promised a MiB each, and sent nothing.
  expect(heldBytes() - before).toBeLessThan(2 * MIB)
  const [reader] = readers
  for (let i = 0; i < MIB - 1; i++) reader?.push(Uint8Array.of(i & 255))
  expect(heldBytes() - before).toBeLessThan(8 * MIB)
  expect(readers.length).toBe(64)
})

describe('ports of a fleet', () => {
  let fleet: Fleet
  afterEach(() => fleet.stop())

  interface Line {
    connection: Connection
    open(): boolean
  }
  async function dial(from: string, to: string, port: number): Promise<Line> {
    const connection = await fleet.network.transport().connect(from, to, port, never)
    let open = true
    connection.stream.on('error', () => {})
    connection.stream.on('close', () => {
      open = false
    })
    connection.stream.resume()
    return { connection, open: () => open }
  }
  /** A line whose other end has gone learns of it at the second word. */
  async function alive(lines: readonly Line[]): Promise<number> {
    for (let word = 0; word < 4; word++) {
      for (const { connection, open } of lines) if (open()) connection.stream.write(Uint8Array.of(0))
      await fleet.clock.settle()
    }
    return lines.filter(({ open }) => open()).length
  }
  const unharmed = async () => {
    await fleet.clock.advance(15_000)
    await fleet.untilReady()
  }

  test('8090: nothing is a packet but 16 bytes, and each other length is counted, not kept', async () => {
    fleet = await startFleet(office())
    await fleet.untilReady()
    const to = addressOf(fleet, 'edge-1')
    const before = refusals(fleet, 'edge-1').BadLength ?? 0
    await forge(fleet, to, new Uint8Array(0), new Uint8Array(15), new Uint8Array(17), new Uint8Array(65_507))
    await fleet.clock.advance(1_000)
    expect(refusals(fleet, 'edge-1').BadLength).toBe(before + 4)
  })

  test('8091: four silent lines of a node at most, none from elsewhere, all gone in 30 s; the node is heard meanwhile', async () => {
    fleet = await startFleet(office())
    await fleet.untilReady()
    const from = addressOf(fleet, 'edge-1')
    const lines: Line[] = []
    for (let i = 0; i < 40; i++) lines.push(await dial(from, AUTHORITY, PORT.telemetry))
    const strangers = [
      await dial('10.8.0.200', AUTHORITY, PORT.telemetry),
      await dial('10.8.0.201', AUTHORITY, PORT.telemetry),
    ]
    await fleet.clock.settle()
    expect(await alive(strangers)).toBe(0)
    expect(await alive(lines)).toBeLessThanOrEqual(4)
    await fleet.clock.advance(31_000)
    expect(await alive(lines)).toBe(0)
    await unharmed()
  })

  test('8091 and 8092: a length over the limit ends the line at once', async () => {
    fleet = await startFleet(office())
    await fleet.untilReady()
    for (const [from, to, port, limit] of [
      [addressOf(fleet, 'edge-1'), AUTHORITY, PORT.telemetry, FRAME_LIMIT],
      [AUTHORITY, addressOf(fleet, 'edge-1'), PORT.sync, SYNC_FRAME_LIMIT],
    ] as const) {
      const line = await dial(from, to, port)
      const length = new Uint8Array(4)
      new DataView(length.buffer).setUint32(0, limit + 1)
      line.connection.stream.write(length)
      await fleet.clock.settle()
      expect(await alive([line]), String(port)).toBe(0)
    }
    await unharmed()
  })

  test('8092: one line a source at most, a silent one gone in 30 s; bundles still arrive', async () => {
    fleet = await startFleet(office())
    await fleet.untilReady()
    const to = addressOf(fleet, 'edge-1')
    const lines: Line[] = []
    for (let i = 0; i < 20; i++) lines.push(await dial(AUTHORITY, to, PORT.sync))
    lines.push(await dial(addressOf(fleet, 'edge-2'), to, PORT.sync), await dial('10.8.0.200', to, PORT.sync))
    await fleet.clock.settle()
    // From three sources.
    expect(await alive(lines)).toBeLessThanOrEqual(3)
    await fleet.clock.advance(61_000)
    expect(await alive(lines)).toBe(0)
    await unharmed()
  })

  test('9202: silent lines are bounded from one source and from all, and every one ends by itself', async () => {
    fleet = await startFleet(office())
    await fleet.untilReady()
    const lines: Line[] = []
    for (let i = 0; i < 50; i++) lines.push(await dial('192.0.2.1', PAIRING_ADDRESS, 9202))
    for (let i = 0; i < 300; i++)
      lines.push(await dial(`192.0.${2 + (i >> 7)}.${(i & 127) + 2}`, PAIRING_ADDRESS, 9202))
    await fleet.clock.settle()
    expect(await alive(lines.slice(0, 50))).toBeLessThanOrEqual(4)
    await fleet.clock.advance(45_000)
    expect(await alive(lines)).toBe(0)
    const tooLong = await dial('192.0.2.9', PAIRING_ADDRESS, 9202)
    tooLong.connection.stream.write(Uint8Array.of(0, 0, 1, 0))
    await fleet.clock.advance(5_000)
    expect(await alive([tooLong])).toBe(0)
    await unharmed()
  })
})

test('9443: a machine that holds keeps so many lines and no more, says nothing on them, and ends all at its deadline', async () => {
  const clock = virtualClock()
  const network = memoryNetwork(clock)
  const endpoint = holdingEndpoint({
    clock,
    random: seededRandom('holding'),
    code: 'ABCD-EFGH',
    converse: async () => {},
  })
  await network.transport().listen('192.0.2.7', 9443, endpoint.accept)
  let open = 0
  let heard = 0
  for (let i = 0; i < 2 * OPEN_AT_MOST; i++) {
    const { stream } = await network.transport().connect(`198.51.100.${i % 200}`, '192.0.2.7', 9443, never)
    open++
    stream.on('error', () => {})
    stream.on('data', (chunk: Uint8Array) => {
      heard += chunk.length
    })
    stream.on('close', () => open--)
    stream.on('end', () => stream.end())
    stream.write(Uint8Array.of(0, 0))
  }
  await clock.settle()
  expect(open).toBeLessThanOrEqual(OPEN_AT_MOST)
  await clock.advance(11_000)
  expect(open).toBe(0)
  expect(heard).toBe(0)
})

describe('ports of this machine', () => {
  /** That many lines, each connected or refused. */
  async function crowd(to: net.NetConnectOpts, count: number): Promise<net.Socket[]> {
    const sockets = await Promise.all(
      Array.from({ length: count }, () => {
        const socket = net.connect(to)
        socket.on('error', () => {})
        return new Promise<net.Socket>((resolve) =>
          socket.once('connect', () => resolve(socket)).once('close', () => resolve(socket)),
        )
      }),
    )
    for (const socket of sockets) socket.resume()
    return sockets
  }

  test('metrics: a local user who opens lines and says nothing uses up no more than 64 of our descriptors', async () => {
    const server = await serveObservability({ port: 0, metrics: new Registry(), checks: () => [] })
    const sockets = await crowd({ port: server.port, host: '127.0.0.1' }, 200)
    await expect
      .poll(() => sockets.filter((socket) => !socket.destroyed).length, { timeout: 30_000 })
      .toBeLessThanOrEqual(64)
    for (const socket of sockets) socket.destroy()
    await server.close()
  })

  test('admin: a request of more than 256 KiB is refused, a path that is none is a bad request, and the next one is answered', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'ppn-break-in-'))
    const backend = { version: () => ({ pid: 1 }) } as unknown as Parameters<typeof serveAdmin>[1]
    const server = await serveAdmin(folder, backend, silentLogger())
    const ask = (method: string, at: string, body = '') =>
      new Promise<number>((resolve, reject) => {
        const asked = request({ socketPath: server.path, method, path: at }, (response) => {
          response.resume()
          resolve(response.statusCode ?? 0)
        })
        asked.on('error', reject)
        asked.end(body)
      })
    expect(await ask('POST', '/v1/confirm', 'x'.repeat(300 * 1024)).catch(() => 422)).toBe(422)
    expect(await ask('POST', '/v1/confirm', '{"key":')).toBe(400)
    expect(await ask('GET', '//')).toBe(400)
    expect(await ask('GET', '/v1/version')).toBe(200)
    await server.close()
    await rm(folder, { recursive: true, force: true })
  })
})
