// Tells a crowd something, on the hub: for every line on standard input once, answered with the wall clock just before.
// `ppn FILE`: the authority's own command sender, a PING to 255; `copies FILE`: a command for the first node, with a copy
// for each of the others; `nats`, `mqtt`: 16 bytes published through the broker that listens on the hub.
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { Brake } from '../../../authority/brake.ts'
import { startCommandSender } from '../../../authority/commands/sender.ts'
import type { Roster, RosterEntry } from '../../../authority/roster.ts'
import { nodeKeyRing } from '../../../authority/term/node-keys.ts'
import type { Reign } from '../../../authority/term/reign.ts'
import { systemClock } from '../../../base/clock.ts'
import { hostTransport } from '../../../base/host-transport.ts'
import { createLogger } from '../../../base/log.ts'
import { systemRandom } from '../../../base/random.ts'
import type { NodeView } from '../../../controllers/ports/fleet.ts'
import { OP } from '../../../protocol/command/ops.ts'
import type { AuthorityId, MeshId, Term } from '../../../protocol/ids.ts'
import { generateX25519 } from '../../../protocol/keys.ts'

const HUB = '10.8.0.1'
const PORTS = { command: 8090, nats: 4222, mqtt: 1883 } as const
const TOPIC = 't'
const SIXTEEN_BYTES = 'a word for all!!'

type Tell = () => Promise<unknown>

/** Everybody is enrolled and Connected; nothing brakes. What sends is the authority's own. */
async function commandSender(file: string) {
  const entries = JSON.parse(readFileSync(file, 'utf8')) as RosterEntry[]
  const never = () => () => {}
  const roster: Roster = {
    get: (node) => entries.find((e) => e.node === node),
    byAddress: (address) => entries.find((e) => e.address === address),
    all: () => entries,
    refresh() {},
    subscribe: never,
  }
  const brake: Brake = {
    read: async () => ({ set: false }),
    guard: async () => true,
    last: () => ({ set: false }),
    watch() {},
    subscribe: never,
  }
  const reign: Reign = {
    term: () => 1 as Term,
    phase: () => 'Open',
    silence: () => undefined,
    noteSent() {},
    heard: () => true,
    settled() {},
    subscribe: never,
  }
  const report = { reads: { bundle: [1], ops: Object.values(OP) }, marks: [] } as unknown as NodeView['report']
  const view = (node: string): NodeView => ({ node, liveness: 'Fresh', ...(report && { report }) })
  const meshId = 'a'.repeat(32) as MeshId
  const sender = await startCommandSender(
    {
      transport: hostTransport(),
      clock: systemClock(),
      random: systemRandom,
      log: createLogger({ level: 'info', format: 'text' }),
      audit: { record() {}, durable: async () => {}, flush: async () => {} },
      brake,
      roster,
      keys: nodeKeyRing({ meshId, commandSecret: generateX25519(systemRandom).secretKey }),
      reign,
      fleet: { view, subscribe: never },
      meshId,
      authorityId: 'b'.repeat(32) as AuthorityId,
      meshEpochMs: Date.now() - 60_000,
      address: HUB,
      port: PORTS.command,
    },
    new AbortController().signal,
  )
  return { sender, nodes: entries.map((e) => e.node) }
}

async function connected(port: number, hello: string | Buffer): Promise<Socket> {
  const socket = connect({ port, host: HUB, noDelay: true })
  await new Promise((resolve, reject) => socket.once('data', resolve).once('error', reject).write(hello))
  return socket.resume()
}

/** MQTT 3.1.1: fixed header, then what it counts. */
const mqtt = (type: number, body: Buffer): Buffer => Buffer.concat([Buffer.from([type, body.length]), body])
const text = (s: string): Buffer => Buffer.from([0, s.length, ...Buffer.from(s)])

const TELLERS: Record<string, (file: string) => Promise<Tell>> = {
  async ppn(file) {
    const { sender, nodes } = await commandSender(file)
    return () => sender.broadcast(OP.PING, 0, nodes)
  },
  async copies(file) {
    const { sender, nodes } = await commandSender(file)
    let value = 0
    return async () => {
      value = 1 - value
      sender.want('Node/first', nodes[0] as string, [{ op: OP.ISOLATE, slot: 0, value }])
    }
  },
  async nats() {
    const socket = await connected(PORTS.nats, 'CONNECT {"verbose":false}\r\nPING\r\n')
    const words = `PUB ${TOPIC} ${SIXTEEN_BYTES.length}\r\n${SIXTEEN_BYTES}\r\n`
    return async () => socket.write(words)
  },
  async mqtt() {
    // Clean session, keepalive 600 s, a client called "p".
    const hello = mqtt(0x10, Buffer.concat([text('MQTT'), Buffer.from([4, 2, 2, 88]), text('p')]))
    const socket = await connected(PORTS.mqtt, hello)
    const words = mqtt(0x30, Buffer.concat([text(TOPIC), Buffer.from(SIXTEEN_BYTES)]))
    return async () => socket.write(words)
  },
}

const [kind = '', file = ''] = process.argv.slice(2)
const tell = await TELLERS[kind]?.(file)
if (!tell) throw new Error(`kinds: ${Object.keys(TELLERS).join(', ')}`)
process.stdout.write('ready\n')
for await (const _ of createInterface({ input: process.stdin })) {
  const atMs = performance.timeOrigin + performance.now()
  await tell()
  process.stdout.write(`${atMs}\n`)
}
process.exit()
