// An agent as the authority knows it from the wire: it verifies, orders and marks commands, and reports. Written from
// section 7 and not from the agent, so that the two check each other.
import type { Clock } from '../../../base/clock.ts'
import { lengthFrame } from '../../../base/length-frames.ts'
import { type RandomBytes, randomId } from '../../../base/random.ts'
import type { Connection, Transport, UdpSocket } from '../../../base/transport.ts'
import { decodeCommand } from '../../../protocol/command/decode.ts'
import { OP } from '../../../protocol/command/ops.ts'
import { ticksAheadMs } from '../../../protocol/command/sequence.ts'
import { verifyTag } from '../../../protocol/command/tag.ts'
import { compareSequence, type Sequence, type Term } from '../../../protocol/ids.ts'
import { deriveNodeKeys, type KeyPair } from '../../../protocol/keys.ts'
import { sealFrame, type TelemetryFrame } from '../../../protocol/telemetry/frame.ts'
import { splitReport } from '../../../protocol/telemetry/parts.ts'
import type { Mark, NodeReport } from '../../../protocol/telemetry/report.ts'

export const COMMAND_PORT = 8090
export const TELEMETRY_PORT = 8091

export interface ModelNodeOptions {
  name: string
  address: string
  hub: boolean
  clock: Clock
  transport: Transport
  random: RandomBytes
  meshId: string
  authorityId: string
  meshEpochMs: number
  authorityAddress: string
  authorityPublic: Uint8Array
  command: KeyPair
}

export interface Obeyed {
  op: number
  slot: number
  value: number
  sequence: Sequence
  term: Term
  atMs: number
}

export class ModelNode {
  readonly name: string
  readonly address: string
  readonly hub: boolean
  readonly command: KeyPair
  readonly nodeId: string
  readonly enrolmentId: string
  /** Durable. */
  term: Term = 0
  readonly marks = new Map<string, Mark>()
  bootId: string
  sequence = 0
  startedMs: number
  /** Fields of the report that a test sets. */
  says: Partial<NodeReport> = {}
  /** Answers PING with a snapshot. */
  answers = true
  marksLost = false
  readonly obeyed: Obeyed[] = []
  readonly refused: string[] = []
  /** The authority closed its direction of the present connection. */
  halfClosed = false
  connected = false
  readonly #options: ModelNodeOptions
  #socket: UdpSocket | undefined
  #connection: Connection | undefined

  constructor(options: ModelNodeOptions) {
    this.#options = options
    this.name = options.name
    this.address = options.address
    this.hub = options.hub
    this.command = options.command
    this.nodeId = randomId(options.random)
    this.enrolmentId = randomId(options.random)
    this.bootId = randomId(options.random)
    this.startedMs = options.clock.monotonic()
  }

  async listen(): Promise<void> {
    const { transport } = this.#options
    this.#socket = await transport.bindUdp(this.address, COMMAND_PORT, (bytes, from) => this.receive(bytes, from))
  }

  close(): void {
    this.#socket?.close()
    this.#connection?.destroy()
  }

  /** A new agent process: another boot id, uptime from zero; term and marks are durable. */
  reboot(): void {
    this.#connection?.destroy()
    this.bootId = randomId(this.#options.random)
    this.sequence = 0
    this.startedMs = this.#options.clock.monotonic()
  }

  keys(term: Term) {
    const { meshId, authorityPublic, command } = this.#options
    const { nodeId, enrolmentId } = this
    return deriveNodeKeys({
      ownSecret: command.secretKey,
      peerPublic: authorityPublic,
      meshId,
      nodeId,
      enrolmentId,
      term,
    })
  }

  receive(bytes: Uint8Array, from: string): void {
    const { authorityAddress, clock, meshEpochMs, meshId, authorityId } = this.#options
    const decoded = decodeCommand(bytes)
    if (!decoded.ok) return void this.refused.push(decoded.reason)
    if (from !== authorityAddress) return void this.refused.push('Source')
    const { op, slot, value, sequence, target } = decoded.command
    if (target !== 255 && target !== Number(this.address.split('.')[3])) return void this.refused.push('OtherTarget')
    const term = [...Array(17).keys()]
      .map((ahead) => this.term + ahead)
      .find((candidate) => {
        const { nodeId, enrolmentId } = this
        const context = { meshId, authorityId, nodeId, enrolmentId, term: candidate }
        return verifyTag(bytes, this.keys(candidate).command, context)
      })
    if (term === undefined) return void this.refused.push('BadTag')
    if (this.marksLost) return void this.refused.push('MarksLost')
    this.term = term
    if (Math.abs(ticksAheadMs(sequence, meshEpochMs, clock.now())) > 120_000) return void this.refused.push('ClockOff')
    const mark = this.marks.get(`${op}/${slot}`)
    const order = mark ? compareSequence({ term, sequence }, mark) : 1
    if (order <= 0) return void this.refused.push(order === 0 ? 'Duplicate' : 'Stale')
    this.marks.set(`${op}/${slot}`, { op: op as Mark['op'], slot, term, sequence, value, state: 'done' })
    this.obeyed.push({ op, slot, value, sequence, term, atMs: clock.monotonic() })
    if (op === OP.PING && this.answers) this.snapshot()
  }

  report(): NodeReport {
    return {
      agentVersion: '0.1.0',
      reads: { bundle: [1], ops: [1, 2, 3, 4, 5, 6, 7, 8] },
      bundles: {},
      marks: this.marksLost ? [] : [...this.marks.values()],
      marksLost: this.marksLost,
      bundleLost: false,
      clockSynchronised: true,
      wallClockMs: this.#options.clock.now(),
      isolated: false,
      peers: [],
      capacity: { memoryMiB: 1024, cpus: 1 },
      usage: { memoryFreeMiB: 512, pressure: 'None' },
      pendingKeys: {},
      refusals: {},
      archives: [],
      releases: [],
      retainedDisks: [],
      ...this.says,
    }
  }

  async connect(): Promise<void> {
    const { transport, authorityAddress } = this.#options
    this.halfClosed = false
    const stop = new AbortController().signal
    const connection = await transport.connect(this.address, authorityAddress, TELEMETRY_PORT, stop)
    this.#connection = connection
    this.connected = true
    connection.stream.on('error', () => {})
    connection.stream.on('end', () => {
      this.halfClosed = true
    })
    connection.stream.on('close', () => {
      if (this.#connection === connection) this.connected = false
    })
    connection.stream.resume()
  }

  /** The bytes of the next frame. Anything of it may be set, its header's fields included. */
  frame(frame: Partial<TelemetryFrame> = {}): Uint8Array {
    const term = frame.term ?? this.term
    const uptimeMs = this.#options.clock.monotonic() - this.startedMs
    const header = { bootId: this.bootId, sequence: ++this.sequence, uptimeMs, ...frame.header }
    const whole = { type: 'full' as const, part: 1, parts: 1, body: this.report(), ...frame, term, header }
    return sealFrame(whole, this.keys(term).telemetry)
  }

  write(bytes: Uint8Array): void {
    this.#connection?.stream.write(lengthFrame(bytes))
  }
  raw(bytes: Uint8Array): void {
    this.#connection?.stream.write(bytes)
  }

  snapshot(): void {
    const parts = splitReport(this.report())
    parts.forEach((body, i) => {
      this.write(this.frame({ part: i + 1, parts: parts.length, body }))
    })
  }

  delta(body: TelemetryFrame['body']): void {
    this.write(this.frame({ type: 'delta', body }))
  }
}
