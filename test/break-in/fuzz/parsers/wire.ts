// Everything that comes over a socket of the mesh: commands, telemetry, bundles, pushed disks.
import { canonicalBytes, parseCanonical } from '../../../../base/canonical-json.ts'
import { frameReader, lengthFrame } from '../../../../base/length-frames.ts'
import * as given from '../../../../hack/vector-inputs.ts'
import { armorBundle, dearmorBundle } from '../../../../protocol/bundle/armor.ts'
import { encodeSignedBundle, openSignedBundle, sealBundle } from '../../../../protocol/bundle/seal.ts'
import { concat, idBytes, u32 } from '../../../../protocol/bytes.ts'
import { decodeCommand } from '../../../../protocol/command/decode.ts'
import { encodeCommand } from '../../../../protocol/command/encode.ts'
import { hmacSha256 } from '../../../../protocol/hmac.ts'
import { deriveNodeKeys, fromBase64, toBase64 } from '../../../../protocol/keys.ts'
import { signDomain } from '../../../../protocol/sign.ts'
import { chunkHash, chunkList } from '../../../../protocol/sync/chunk-list.ts'
import { decodeSyncFrame, encodeSyncFrame } from '../../../../protocol/sync/frame.ts'
import { openFrame, readFrameHead, sealFrame, type TelemetryFrame } from '../../../../protocol/telemetry/frame.ts'
import { isWithinBounds, mergeReport } from '../../../../protocol/telemetry/merge.ts'
import { assembler } from '../../../../protocol/telemetry/parts.ts'
import { type NodeReport, nodeReport } from '../../../../protocol/telemetry/report.ts'
import { accepted, bytesOf, declared, type FuzzedParser, refused, utf8 } from '../parser.ts'

const keys = deriveNodeKeys({
  ownSecret: given.nodeCommand.secretKey,
  peerPublic: given.authorityCommand.publicKey,
  ...given.context,
})
const authority = { id: given.authorityId, signingSecret: given.authoritySigning.secretKey }
const trusted = [{ authorityId: given.authorityId, signingPublicKey: given.authoritySigning.publicKey }]
export const sealedBundle = encodeSignedBundle(sealBundle(given.bundle, authority))

const command: FuzzedParser = {
  name: 'command',
  faces: 'socket',
  covers: ['protocol/command/decode.ts#decodeCommand'],
  shape: 'bytes',
  valid: Object.values(given.commands).map((packet) => encodeCommand(packet, keys.command, given.context)),
  read(input) {
    const decoded = decodeCommand(input)
    if (!decoded.ok) return refused(decoded.reason)
    // All but the tag, which is not looked at here.
    const again = encodeCommand(decoded.command, keys.command, given.context)
    return accepted(concat(again.subarray(0, 9), input.subarray(9)))
  },
}

const frame = (part: Partial<TelemetryFrame>): TelemetryFrame => ({
  ...{ term: given.term, header: given.frameHeader, type: 'full', part: 1, parts: 1, body: given.report },
  ...part,
})
const richReport: NodeReport = {
  ...given.report,
  registryHead: { count: 3, hash: '33'.repeat(32) },
  bundles: { applied: { term: 3, revision: 9, digest: '44'.repeat(32) } },
  told: { term: 3, revision: 9 },
  peers: [
    {
      ...{ nodeId: given.hubId, name: 'relay', publicKey: toBase64(given.hubWireguard.publicKey), path: 'Direct' },
      ...{ reason: 'Hub', allowedIPs: ['10.8.0.1/32'], rxBytes: 1, txBytes: 2, handshakeAgeSeconds: 7 },
    },
  ],
  archives: [
    {
      ...{ id: given.archiveId, slot: 1, name: 'cluster-totebox-example-1', namespace: 'default', unlisted: false },
      ...{ lifecycle: 'Running', imageReady: true, fencingEpoch: 1, memoryActualMiB: 512, memoryTargetMiB: 512 },
      ...{ cpuTimeMs: 1, weight: 100, restarts: 0, operation: { op: 4, value: 1, remainingMs: 100 } },
    },
  ],
  releases: [{ archive: given.archiveId, fencingEpoch: 1, signature: 'A'.repeat(88) }],
  retainedDisks: [{ id: given.archiveId, namespace: 'default', name: 'old', sizeMiB: 64 }],
} as NodeReport
const inside = (one: TelemetryFrame): Uint8Array => sealFrame(one, keys.telemetry).slice(5, -16)
const delta = {
  marks: given.report.marks,
  refusals: { Stale: 1 },
  removed: { marks: [[1, 0]], refusals: ['BadTag'], fields: ['told'], archives: [1] },
} as TelemetryFrame['body']
const taggedFrame = (json: Uint8Array): Uint8Array => {
  const untagged = concat(Uint8Array.of(1), u32(given.term), json)
  return concat(untagged, hmacSha256(keys.telemetry, untagged).subarray(0, 16))
}

const telemetry: FuzzedParser = {
  name: 'telemetry',
  faces: 'socket',
  covers: [
    'protocol/telemetry/frame.ts#readFrameHead',
    'protocol/telemetry/frame.ts#openFrame',
    'protocol/telemetry/parts.ts#assembler',
    'protocol/telemetry/merge.ts#mergeReport',
  ],
  shape: 'json',
  valid: [inside(frame({})), inside(frame({ body: richReport })), inside(frame({ type: 'delta', body: delta }))],
  wrap: taggedFrame,
  read(input) {
    const head = readFrameHead(input)
    const opened = openFrame(input, keys.telemetry)
    if (!opened.ok) return refused(opened.reason)
    if (!head) throw new Error('opened without a head')
    // What the sink does with a frame: a part is put to the others, a delta is merged into what was said.
    if (opened.frame.type === 'full') assembler().push(opened.frame)
    else {
      const merged = mergeReport(richReport, opened.frame.body)
      if (!isWithinBounds(merged)) return refused('OutOfBounds')
      if (!nodeReport.safeParse(merged).success) throw new Error('merged into what is no report')
    }
    return accepted(sealFrame(opened.frame, keys.telemetry, { version: head.version }))
  },
}

const bundle: FuzzedParser = {
  name: 'bundle',
  faces: 'socket',
  covers: ['protocol/bundle/seal.ts#openSignedBundle', 'agent/bundles/store.ts#openBundle'],
  shape: 'json',
  valid: [sealedBundle.subarray(81)],
  wrap: (json) =>
    concat(
      Uint8Array.of(1),
      idBytes(given.authorityId),
      signDomain('ppn-bundle/1', json, given.authoritySigning.secretKey),
      json,
    ),
  read(input) {
    const opened = openSignedBundle(input, trusted)
    return opened.ok ? accepted(encodeSignedBundle(opened.bundle)) : refused(opened.reason)
  },
}

const armor: FuzzedParser = {
  name: 'armor',
  faces: 'file',
  covers: ['protocol/bundle/armor.ts#dearmorBundle'],
  shape: 'text',
  valid: [bytesOf(armorBundle(sealedBundle)), bytesOf(`Hello,\r\n${armorBundle(Uint8Array.of(1, 2, 3))}\nBye`)],
  read: (input) =>
    declared(['BadArmor'], () => {
      const bytes = dearmorBundle(utf8(input))
      // Other text around it is passed over; what was found has one form.
      if (Buffer.compare(dearmorBundle(armorBundle(bytes)), bytes) !== 0) throw new Error('not the same bytes again')
      return accepted()
    }),
}

const chunks = [chunkHash(Uint8Array.of(1)), chunkHash(Uint8Array.of(2)), chunkHash(Uint8Array.of(3))]
const list = chunkList(chunks)
const offer = { archive: given.archiveId, fencingEpoch: 2, root: list.root, sizeBytes: 3 }
const sync: FuzzedParser = {
  name: 'sync',
  faces: 'socket',
  covers: ['protocol/sync/frame.ts#decodeSyncFrame'],
  shape: 'bytes',
  valid: [
    encodeSyncFrame({ type: 'bundle', bundle: sealedBundle }),
    encodeSyncFrame({ type: 'offer', offer }),
    encodeSyncFrame({ type: 'chunk', index: 1, proof: list.proof(1), bytes: Uint8Array.of(2) }),
    encodeSyncFrame({ type: 'end' }),
  ],
  read(input) {
    const decoded = decodeSyncFrame(input)
    return decoded ? accepted(encodeSyncFrame(decoded)) : refused('none')
  },
}

const diskOffer: FuzzedParser = {
  name: 'disk-offer',
  faces: 'socket',
  covers: ['protocol/sync/frame.ts#decodeSyncFrame'],
  shape: 'json',
  valid: [canonicalBytes(offer)],
  wrap: (json) => concat(Uint8Array.of(2), json),
  read: sync.read,
}

const canonical: FuzzedParser = {
  name: 'canonical-json',
  faces: 'socket',
  covers: ['base/canonical-json.ts#parseCanonical'],
  shape: 'json',
  valid: [canonicalBytes(given.bundle), canonicalBytes({ a: [1, -1.5, 1e21, 'ü\u2028"\\'], '': {}, é: null })],
  read: (input) => declared(['NotCanonical'], () => accepted(canonicalBytes(parseCanonical(input)))),
}

const frames: FuzzedParser = {
  name: 'length-frames',
  faces: 'socket',
  covers: ['base/length-frames.ts#frameReader'],
  shape: 'bytes',
  valid: [concat(lengthFrame(Uint8Array.of(1, 2, 3)), lengthFrame(new Uint8Array(0)), lengthFrame(sealedBundle))],
  read: (input) =>
    declared(['FrameTooLong'], () => {
      const out: Uint8Array[] = []
      const reader = frameReader(64 * 1024, (one) => out.push(one))
      // In pieces of changing length: where a stream is cut must not matter.
      for (let at = 0, step = 1; at < input.length; at += step, step = (step * 7 + 3) % 61 || 1)
        reader.push(input.subarray(at, at + step))
      const again = concat(...out.map(lengthFrame))
      if (Buffer.compare(again, input.subarray(0, again.length)) !== 0) throw new Error('other frames than came in')
      return accepted()
    }),
}

const keyText: FuzzedParser = {
  name: 'base64-key',
  faces: 'file',
  covers: ['protocol/keys.ts#fromBase64'],
  shape: 'text',
  valid: [bytesOf(toBase64(given.operator.publicKey))],
  read: (input) => declared(['BadKey'], () => accepted(bytesOf(toBase64(fromBase64(utf8(input), 32))))),
}

export const WIRE: readonly FuzzedParser[] = [
  command,
  telemetry,
  bundle,
  armor,
  sync,
  diskOffer,
  canonical,
  frames,
  keyText,
]
