// Fixed keys, ids and documents that the protocol's vectors are made of. None of it is secret.
import type { BundleDocument } from '../protocol/bundle/document.ts'
import type { CommandContext, CommandPacket } from '../protocol/command/layout.ts'
import { OP, POWER } from '../protocol/command/ops.ts'
import { ed25519PublicKey, toBase64, x25519PublicKey } from '../protocol/keys.ts'
import type { OperatorDocument } from '../protocol/operator/document.ts'
import type { NodeReport } from '../protocol/telemetry/report.ts'

/** 32 bytes counting up from `from`. */
const counting = (from: number) => Uint8Array.from({ length: 32 }, (_, i) => from + i)
const x25519Pair = (secretKey: Uint8Array) => ({ secretKey, publicKey: x25519PublicKey(secretKey) })
const ed25519Pair = (secretKey: Uint8Array) => ({ secretKey, publicKey: ed25519PublicKey(secretKey) })

export const authorityCommand = x25519Pair(counting(0x00))
export const nodeCommand = x25519Pair(counting(0x20))
export const authoritySigning = ed25519Pair(counting(0x40))
export const nodeSigning = ed25519Pair(counting(0x60))
export const operator = ed25519Pair(counting(0x80))
export const nodeWireguard = x25519Pair(counting(0xa0))
export const hubWireguard = x25519Pair(counting(0xc0))

export const meshId = '000102030405060708090a0b0c0d0e0f'
export const authorityId = '101112131415161718191a1b1c1d1e1f'
export const nodeId = '202122232425262728292a2b2c2d2e2f'
export const enrolmentId = '303132333435363738393a3b3c3d3e3f'
export const hubId = '404142434445464748494a4b4c4d4e4f'
export const archiveId = '505152535455565758595a5b5c5d5e5f'
export const term = 3
export const meshEpochMs = Date.UTC(2026, 0, 1)

export const context: CommandContext = { meshId, authorityId, nodeId, enrolmentId, term }

export const commands: Record<string, CommandPacket> = {
  'PING to all': { op: OP.PING, target: 255, slot: 0, value: 0, sequence: 1 },
  'APPLY of revision 65538': { op: OP.APPLY, target: 255, slot: 0, value: 2, sequence: 160 },
  'ISOLATE node .2': { op: OP.ISOLATE, target: 2, slot: 0, value: 1, sequence: 161 },
  'POWER suspend slot 1': { op: OP.POWER, target: 2, slot: 1, value: POWER.suspend, sequence: 162 },
  'BALLOON slot 255 to 4 GiB': { op: OP.BALLOON, target: 254, slot: 255, value: 256, sequence: 163 },
  'WEIGHT slot 1 to 10000': { op: OP.WEIGHT, target: 2, slot: 1, value: 10_000, sequence: 0xffff_ffff },
  'REKEY WireGuard': { op: OP.REKEY, target: 2, slot: 0, value: 2, sequence: 165 },
  'SEVER node .2': { op: OP.SEVER, target: 2, slot: 0, value: 1, sequence: 166 },
}

/** Bytes that look nearly like a command; the tag is not looked at. */
export const refusedCommands: Record<string, string> = {
  BadLength: '01ff000000000000010000000000',
  UnknownOp: '09020000000000000100000000000000',
  BadTarget: '03ff0000010000000100000000000000',
  BadSlot: '04020000010000000100000000000000',
  BadValue: '06020127110000000100000000000000',
}

export const revisions = [
  { low16: 2, near: 65_530, revision: 65_538 },
  { low16: 65_530, near: 65_538, revision: 65_530 },
  { low16: 40_000, near: 0, revision: 40_000 },
  { low16: 0x8000, near: 0x2_0000, revision: 0x1_8000 },
  { low16: 0, near: 0xffff_ffff, revision: 0xffff_0000 },
]

export const bundle: BundleDocument = {
  version: 1,
  meshId,
  nodeId,
  enrolmentId,
  term,
  revision: 65_538,
  switch: 'onApply',
  registryHead: { count: 2, hash: '11'.repeat(32) },
  content: {
    authorities: [
      {
        id: authorityId,
        commandPublicKey: toBase64(authorityCommand.publicKey),
        signingPublicKey: toBase64(authoritySigning.publicKey),
        addresses: ['10.8.0.1'],
      },
    ],
    operatorKey: toBase64(operator.publicKey),
    meshEpochMs,
    mesh: {
      name: 'default',
      cidr: '10.8.0.0/24',
      ports: { wireguard: 51820, command: 8090, telemetry: 8091, sync: 8092, pairing: 9202, holding: 9443 },
    },
    node: { name: 'office', role: 'spoke', address: '10.8.0.2' },
    interface: { name: 'ppn0', mtu: 1420, listenPort: 51820 },
    peers: [
      {
        nodeId: hubId,
        name: 'relay',
        publicKey: toBase64(hubWireguard.publicKey),
        endpoint: 'relay.example:51820',
        allowedIPs: ['10.8.0.1/32', '10.8.0.0/24'],
        keepaliveSeconds: 25,
        hub: true,
      },
    ],
    pool: {
      reservedMiB: 512,
      overcommitPercent: 100,
      balloon: { policy: 'Auto', lowWatermarkPercent: 10, highWatermarkPercent: 20, emergencyPercent: 5 },
      reservedWeight: 100,
    },
    attempt: 0,
    archives: [
      {
        id: archiveId,
        name: 'cluster-totebox-example-1',
        namespace: 'default',
        slot: 1,
        fencingEpoch: 1,
        minSequence: { term: 0, sequence: 0 },
        image: {
          source: '/var/lib/ppn/images/totebox.img',
          sha256: '22'.repeat(32),
          format: 'raw',
          architecture: 'amd64',
        },
        floorMiB: 256,
        maxMiB: 1024,
        vcpus: 1,
        restartPolicy: 'Always',
      },
    ],
    pushes: [],
  },
}

export const frameHeader = { bootId: '606162636465666768696a6b6c6d6e6f', sequence: 7, uptimeMs: 12_345 }

export const report: NodeReport = {
  agentVersion: '0.1.0',
  reads: { bundle: [1], ops: [1, 2, 3, 4, 5, 6, 7, 8] },
  bundles: {},
  marks: [{ op: OP.PING, slot: 0, term, sequence: 1, value: 0, state: 'done' }],
  marksLost: false,
  bundleLost: false,
  clockSynchronised: true,
  wallClockMs: meshEpochMs,
  isolated: false,
  peers: [],
  capacity: { memoryMiB: 4096, cpus: 2 },
  usage: { memoryFreeMiB: 3072, pressure: 'None' },
  pendingKeys: {},
  refusals: { BadTag: 1 },
  archives: [],
  releases: [],
  retainedDisks: [],
}

const issued = { version: 1, meshId, issuedMs: meshEpochMs + 1_000 } as const
export const operatorDocuments: readonly OperatorDocument[] = [
  {
    ...issued,
    type: 'authority',
    term: 65_539,
    authority: {
      id: '707172737475767778797a7b7c7d7e7f',
      commandPublicKey: toBase64(x25519PublicKey(counting(0xe0))),
      signingPublicKey: toBase64(ed25519PublicKey(counting(0x11))),
      addresses: ['10.8.0.2'],
    },
  },
  { ...issued, type: 'operator', operatorKey: toBase64(ed25519PublicKey(counting(0x91))) },
  { ...issued, type: 'override', nodeId, archive: archiveId, fencingEpoch: 2 },
]

export const genesis = {
  signingPublicKey: authoritySigning.publicKey,
  pairingPort: 9202,
  /** HELLO: type, version, purpose claim, selector CM7K, session id, share. */
  hello: `010102434d374b${'a0'.repeat(16)}${'b0'.repeat(32)}`,
  /** One byte short, one too many, another op, target, version; no port. */
  notABeacon: [
    `b0000123f2${'00'.repeat(10)}`,
    `b0000123f2${'00'.repeat(12)}`,
    `01000123f2${'00'.repeat(11)}`,
    `b0ff0123f2${'00'.repeat(11)}`,
    `b0000223f2${'00'.repeat(11)}`,
    `b000010000${'00'.repeat(11)}`,
  ],
}
