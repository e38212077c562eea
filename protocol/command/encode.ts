// Only the authority and tests import this: a node's code cannot make a command.
import { PpnError } from '../../base/errors.ts'
import { decodeCommand } from './decode.ts'
import { AT, COMMAND_BYTES, type CommandContext, type CommandPacket, TAG_BYTES } from './layout.ts'
import { tagger } from './tag.ts'

/** `encodeCommand` for many commands under one key. */
export function commandEncoder(key: Uint8Array, context: CommandContext): (packet: CommandPacket) => Uint8Array {
  const macOf = tagger(key, context)
  return (packet) => {
    const bytes = new Uint8Array(COMMAND_BYTES)
    const view = new DataView(bytes.buffer)
    view.setUint8(AT.op, packet.op)
    view.setUint8(AT.target, packet.target)
    view.setUint8(AT.slot, packet.slot)
    view.setUint16(AT.value, packet.value)
    view.setUint32(AT.sequence, packet.sequence)
    const read = decodeCommand(bytes)
    if (!read.ok) throw new PpnError('BadCommand', { reason: read.reason })
    // A number out of its field's range would have been cut to fit, and said something else.
    const { op, target, slot, value, sequence } = read.command
    if (op !== packet.op || target !== packet.target || slot !== packet.slot || value !== packet.value)
      throw new PpnError('BadCommand', { reason: 'OutOfRange' })
    if (sequence !== packet.sequence) throw new PpnError('BadCommand', { reason: 'OutOfRange' })
    bytes.set(macOf(bytes).subarray(0, TAG_BYTES), AT.tag)
    return bytes
  }
}

/**
 * The 16 bytes of a command, tagged for one node in one term. Throws BadCommand for one that `decodeCommand` would
 * refuse. The same bytes serve every copy: encode once.
 */
export function encodeCommand(packet: CommandPacket, key: Uint8Array, context: CommandContext): Uint8Array {
  return commandEncoder(key, context)(packet)
}
