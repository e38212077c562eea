// A planned packet as the 16 bytes of its node, under that node's command key of the term.
import type { Logger } from '../../base/log.ts'
import { commandEncoder } from '../../protocol/command/encode.ts'
import type { CommandPacket } from '../../protocol/command/layout.ts'
import { TARGET_ALL } from '../../protocol/command/ops.ts'
import type { AuthorityId, MeshId, Term } from '../../protocol/ids.ts'
import type { RosterEntry } from '../roster.ts'
import type { NodeKeyRing } from '../term/node-keys.ts'
import type { Packet } from './planner.ts'

export interface PacketEncoderOptions {
  keys: NodeKeyRing
  meshId: MeshId
  authorityId: AuthorityId
  log: Logger
}

/**
 * The same packet under the same term gives the same bytes. Undefined, and logged, when the node's public key is no
 * key: that must not hold up the others.
 */
export function packetEncoder(
  options: PacketEncoderOptions,
): (packet: Packet, entry: RosterEntry, term: Term) => Uint8Array | undefined {
  const { keys, meshId, authorityId, log } = options
  const encoders = new Map<string, { entry: RosterEntry; term: Term; encode: (packet: CommandPacket) => Uint8Array }>()

  const encoderOf = (entry: RosterEntry, term: Term) => {
    const known = encoders.get(entry.node)
    if (known?.entry === entry && known.term === term) return known.encode
    const context = { meshId, authorityId, nodeId: entry.nodeId, enrolmentId: entry.enrolmentId, term }
    const encode = commandEncoder(keys.of(entry, term).command, context)
    encoders.set(entry.node, { entry, term, encode })
    return encode
  }

  return ({ op, slot, value, sequence, toAll }, entry, term) => {
    try {
      return encoderOf(entry, term)({ op, slot, value, sequence, target: toAll ? TARGET_ALL : entry.target })
    } catch (error) {
      log.error({ node: entry.node, error: String(error) }, 'a command could not be made')
      return undefined
    }
  }
}
