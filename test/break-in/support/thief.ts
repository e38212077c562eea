// Whoever copied the agent's folder of a node: every key it has, and what its bundle says.
import { openBundle } from '../../../agent/bundles/store.ts'
import { loadAgentKeys } from '../../../agent/keys/agent-keys.ts'
import { loadPins } from '../../../agent/keys/pins.ts'
import { lengthFrame } from '../../../base/length-frames.ts'
import { encodeCommand } from '../../../protocol/command/encode.ts'
import type { CommandPacket } from '../../../protocol/command/layout.ts'
import { deriveNodeKeys, fromBase64 } from '../../../protocol/keys.ts'
import { sealFrame, type TelemetryFrame } from '../../../protocol/telemetry/frame.ts'
import type { NodeReport, NodeReportDelta } from '../../../protocol/telemetry/report.ts'
import { memoryFiles } from '../../../testing/memory-files.ts'
import type { Fleet } from '../../fleet/harness.ts'
import { AUTHORITY, PORT } from '../../fleet/wire.ts'

export async function thiefOf(fleet: Fleet, node: string) {
  const files = memoryFiles(new Map(fleet.nodeFiles(node))).sub('agent')
  const pins = await loadPins(files)
  const keys = await loadAgentKeys(files)
  const raw = await files.read('applied')
  if (!pins || !keys || !raw) throw new Error('nothing was stolen')
  const opened = openBundle(raw, pins.trusted)
  if (!opened.ok) throw new Error('no bundle')
  const { content } = opened.bundle
  const [authority] = content.authorities
  if (!authority) throw new Error('no authority')
  const { meshId, nodeId, enrolmentId } = pins
  const keysOf = (term: number) =>
    deriveNodeKeys({
      ownSecret: keys.command.secretKey,
      peerPublic: fromBase64(authority.commandPublicKey),
      ...{ meshId, nodeId, enrolmentId, term },
    })
  let sequence = 1_000_000
  return {
    content,
    raw,
    /** A frame as this node would send it. */
    frame(term: number, report: NodeReport, more: Partial<TelemetryFrame['header']> = {}): Uint8Array {
      const header = { bootId: 'ee'.repeat(16), sequence: sequence++, uptimeMs: 1_000_000 + sequence, ...more }
      const frame: TelemetryFrame = { term, header, type: 'full', part: 1, parts: 1, body: report }
      return sealFrame(frame, keysOf(term).telemetry)
    },
    delta(term: number, body: NodeReportDelta): Uint8Array {
      const header = { bootId: 'ee'.repeat(16), sequence: sequence++, uptimeMs: 1_000_000 + sequence }
      return sealFrame({ term, header, type: 'delta', part: 1, parts: 1, body }, keysOf(term).telemetry)
    },
    /** A command under the keys this node shares with the authority. */
    command: (term: number, packet: CommandPacket): Uint8Array =>
      encodeCommand(packet, keysOf(term).command, {
        ...{ meshId, nodeId, enrolmentId, term },
        authorityId: authority.id,
      }),
  }
}

/** Speaks at the telemetry port from this address; resolves whether the authority kept the line. */
export async function speak(fleet: Fleet, from: string, ...frames: Uint8Array[]): Promise<boolean> {
  const line = await fleet.network.transport().connect(from, AUTHORITY, PORT.telemetry, new AbortController().signal)
  let open = true
  line.stream.on('close', () => {
    open = false
  })
  line.stream.on('error', () => {})
  line.stream.resume()
  for (const frame of frames) if (open) line.stream.write(lengthFrame(frame))
  await fleet.clock.advance(200)
  // That the other side has hung up shows at the second word.
  for (let i = 0; i < 2 && open; i++) {
    line.stream.write(new Uint8Array(0))
    await fleet.clock.advance(50)
  }
  const kept = open
  line.destroy()
  await fleet.clock.settle()
  return kept
}
