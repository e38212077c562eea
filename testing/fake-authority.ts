// An authority without a mind: it signs, tags and listens as a test says, so that an agent can be met on the wire.

import type { NodeIdentity } from '../api/v1alpha1/node.ts'
import type { Clock } from '../base/clock.ts'
import { frameReader, lengthFrame } from '../base/length-frames.ts'
import { type RandomBytes, randomId } from '../base/random.ts'
import type { Connection, Listener, Transport, UdpSocket } from '../base/transport.ts'
import { armorBundle } from '../protocol/bundle/armor.ts'
import type { BundleContent, BundleDocument } from '../protocol/bundle/document.ts'
import { encodeSignedBundle, sealBundle } from '../protocol/bundle/seal.ts'
import { encodeCommand } from '../protocol/command/encode.ts'
import type { Op } from '../protocol/command/ops.ts'
import { nextSequence } from '../protocol/command/sequence.ts'
import type { EnrolmentId, MeshId, NodeId, Sequence } from '../protocol/ids.ts'
import {
  deriveNodeKeys,
  fingerprint,
  fromBase64,
  generateEd25519,
  generateX25519,
  type KeyPair,
  toBase64,
} from '../protocol/keys.ts'
import { encodeSyncFrame } from '../protocol/sync/frame.ts'
import { FRAME_LIMIT, openFrame, readFrameHead, type TelemetryFrame } from '../protocol/telemetry/frame.ts'
import { mergeReport } from '../protocol/telemetry/merge.ts'
import { assembler } from '../protocol/telemetry/parts.ts'
import type { NodeReport } from '../protocol/telemetry/report.ts'

export interface FakeAuthorityOptions {
  clock: Clock
  random: RandomBytes
  transport: Transport
  /** Mesh address it speaks from and listens at. */
  address: string
  /** The one node it has to do with. */
  node: { name: string; address: string; role: 'hub' | 'spoke'; identity: NodeIdentity }
  /** For a second authority of the same mesh. */
  ids?: { meshId: MeshId; nodeId: NodeId; enrolmentId: EnrolmentId }
  operator?: KeyPair
}

export interface BundleOptions {
  revision: number
  term?: number
  switch?: 'onApply' | 'onReceipt'
  content?: Partial<BundleContent>
  /** Whom it is for, if not for this node. */
  ids?: Partial<{ meshId: MeshId; nodeId: NodeId; enrolmentId: EnrolmentId }>
}

export interface CommandOptions {
  slot?: number
  value?: number
  term?: number
  sequence?: Sequence
  target?: number
}

export function fakeAuthority(options: FakeAuthorityOptions) {
  const { clock, random, transport, address, node } = options
  const command = generateX25519(random)
  const signing = generateEd25519(random)
  const operator = options.operator ?? generateEd25519(random)
  const ids = options.ids ?? { meshId: randomId(random), nodeId: randomId(random), enrolmentId: randomId(random) }
  const authorityId = randomId(random)
  const meshEpochMs = clock.now() - 3_600_000
  const ports = { wireguard: 51820, command: 8090, telemetry: 8091, sync: 8092, pairing: 9202, holding: 9443 }
  const state = { term: 1, last: undefined as Sequence | undefined, report: undefined as NodeReport | undefined }
  const frames: TelemetryFrame[] = []
  const connections: Connection[] = []
  let udp: UdpSocket | undefined
  let listener: Listener | undefined

  let nodeKeys = [node.identity.commandPublicKey]
  const keysOf = (term: number, nodeKey = nodeKeys[0] as string) =>
    deriveNodeKeys({
      ownSecret: command.secretKey,
      peerPublic: fromBase64(nodeKey),
      ...ids,
      term,
    })

  const content = (given: Partial<BundleContent> = {}): BundleContent => ({
    authorities: [
      {
        id: authorityId,
        commandPublicKey: toBase64(command.publicKey),
        signingPublicKey: toBase64(signing.publicKey),
        addresses: [address],
      },
    ],
    operatorKey: toBase64(operator.publicKey),
    meshEpochMs,
    mesh: { name: 'default', cidr: '10.8.0.0/24', ports },
    node: { name: node.name, role: node.role, address: node.address },
    interface: { name: 'ppn0', mtu: 1420, listenPort: ports.wireguard },
    peers: [],
    pool: {
      reservedMiB: 512,
      overcommitPercent: 100,
      balloon: { policy: 'Auto', lowWatermarkPercent: 15, highWatermarkPercent: 30, emergencyPercent: 5 },
      reservedWeight: 100,
    },
    attempt: 0,
    archives: [],
    pushes: [],
    ...given,
  })
  const bundle = (wanted: BundleOptions): Uint8Array => {
    const document: BundleDocument = {
      version: 1,
      ...ids,
      ...wanted.ids,
      term: wanted.term ?? state.term,
      revision: wanted.revision,
      switch: wanted.switch ?? 'onApply',
      registryHead: { count: 1, hash: '0'.repeat(64) },
      content: content(wanted.content),
    }
    return encodeSignedBundle(sealBundle(document, { id: authorityId, signingSecret: signing.secretKey }))
  }
  const packet = (op: Op, wanted: CommandOptions = {}): Uint8Array => {
    const term = wanted.term ?? state.term
    const sequence = wanted.sequence ?? nextSequence(state.last, meshEpochMs, clock.now())
    state.last = sequence
    const target = wanted.target ?? Number(node.address.split('.')[3])
    return encodeCommand(
      { op, target, slot: wanted.slot ?? 0, value: wanted.value ?? 0, sequence },
      keysOf(term).command,
      { ...ids, authorityId, term },
    )
  }
  const onFrame = (bytes: Uint8Array, parts: ReturnType<typeof assembler>): void => {
    const head = readFrameHead(bytes)
    const tried = head ? nodeKeys.map((key) => openFrame(bytes, keysOf(head.term, key).telemetry)) : []
    const opened = tried.find((t) => t.ok) ?? tried[0]
    if (!opened?.ok) throw new Error(`telemetry: ${opened?.reason ?? 'no frame'}`)
    const { frame } = opened
    frames.push(frame)
    if (frame.type === 'delta') {
      if (state.report) state.report = mergeReport(state.report, frame.body)
      return
    }
    const assembled = parts.push(frame)
    if (assembled.state === 'complete') state.report = assembled.report
  }

  return {
    ids,
    authorityId,
    meshEpochMs,
    fingerprint: fingerprint(signing.publicKey),
    operator,
    /** `term` may be raised by the test. */
    state,
    /** Telemetry frames that opened, in order. */
    frames,
    connections,
    content,
    bundle,
    armored: (wanted: BundleOptions) => armorBundle(bundle(wanted)),
    packet,
    report: () => state.report,
    /** Tags from now on for this key of the node's; telemetry under the old one is still read. */
    useCommandKey: (publicKey: string) => {
      nodeKeys = [publicKey, ...nodeKeys]
    },
    /** Listens for telemetry, half-closing as it accepts, and opens the sending socket. */
    async start(): Promise<void> {
      udp = await transport.bindUdp(address, ports.command, () => {})
      listener = await transport.listen(address, ports.telemetry, (connection) => {
        connections.push(connection)
        connection.stream.on('error', () => {})
        connection.stream.end()
        const parts = assembler()
        const reader = frameReader(FRAME_LIMIT, (bytes) => onFrame(bytes, parts))
        connection.stream.on('data', (chunk: Uint8Array) => reader.push(chunk))
      })
    },
    async stop(): Promise<void> {
      udp?.close()
      for (const connection of connections.splice(0)) connection.destroy()
      await listener?.close()
    },
    async send(op: Op, wanted: CommandOptions = {}): Promise<Uint8Array> {
      const bytes = packet(op, wanted)
      await udp?.send(bytes, node.address, ports.command)
      return bytes
    },
    async sendRaw(bytes: Uint8Array): Promise<void> {
      await udp?.send(bytes, node.address, ports.command)
    },
    /** Pushes sealed bytes; the connection stays open for the caller to look at. */
    async push(bytes: Uint8Array): Promise<Connection> {
      const connection = await transport.connect(address, node.address, ports.sync, new AbortController().signal)
      connection.stream.on('error', () => {})
      connection.stream.end(lengthFrame(encodeSyncFrame({ type: 'bundle', bundle: bytes })))
      return connection
    },
  }
}
