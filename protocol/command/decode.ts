import { AT, COMMAND_BYTES, type CommandPacket, OP_RULES } from './layout.ts'
import { type Op, TARGET_ALL } from './ops.ts'

type CommandFault = 'BadLength' | 'UnknownOp' | 'BadTarget' | 'BadSlot' | 'BadValue'
export type DecodedCommand = { ok: true; command: CommandPacket } | { ok: false; reason: CommandFault }

/** The target byte, for a receiver that first of all passes over what is for others; 0 for a wrong length. */
export function targetOf(bytes: Uint8Array): number {
  return bytes.length === COMMAND_BYTES ? (bytes[AT.target] as number) : 0
}

/**
 * Reads a packet without its tag: `verifyTag` says whether it is to be believed. Fails closed: unknown op, target 0,
 * target 255 of an op that has no such form, a slot of the wrong sort, a value out of the op's range.
 */
export function decodeCommand(bytes: Uint8Array): DecodedCommand {
  if (bytes.length !== COMMAND_BYTES) return { ok: false, reason: 'BadLength' }
  const view = new DataView(bytes.buffer, bytes.byteOffset, COMMAND_BYTES)
  const op = view.getUint8(AT.op) as Op
  const rule = OP_RULES[op]
  if (!rule) return { ok: false, reason: 'UnknownOp' }
  const target = view.getUint8(AT.target)
  if (target === 0 || (target === TARGET_ALL && !rule.toAll)) return { ok: false, reason: 'BadTarget' }
  const slot = view.getUint8(AT.slot)
  if ((slot === 0) !== (rule.about === 'node')) return { ok: false, reason: 'BadSlot' }
  const value = view.getUint16(AT.value)
  if (value < rule.lowest || value > rule.highest) return { ok: false, reason: 'BadValue' }
  return { ok: true, command: { op, target, slot, value, sequence: view.getUint32(AT.sequence) } }
}
