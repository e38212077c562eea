// The commands among the packets of a network, as a test wants to read them.
import { decodeCommand } from '../protocol/command/decode.ts'
import { type OpName, opName, TARGET_ALL } from '../protocol/command/ops.ts'
import type { Sequence, Slot } from '../protocol/ids.ts'
import type { MemoryNetwork } from './memory-network.ts'

export interface SentCommand {
  /** Name of the node it was addressed to. */
  node: string
  op: OpName
  slot: Slot
  value: number
  sequence: Sequence
  /** Clock.now() of the first packet. */
  atMs: number
  /** Packets sent to that node, repetitions included; copies to the others are not counted. */
  packets: number
}

/** Each command once, in the order of first sending. */
export function sentCommands(
  datagrams: MemoryNetwork['datagrams'],
  nameOf: (address: string) => string,
): SentCommand[] {
  const sent = new Map<string, SentCommand>()
  for (const { to, bytes, timeMs } of datagrams) {
    const decoded = decodeCommand(bytes)
    if (!decoded.ok) continue
    const { op, target, slot, value, sequence } = decoded.command
    if (target !== TARGET_ALL && target !== Number(to.split('.')[3])) continue
    const key = [to, op, slot, sequence].join(' ')
    const known = sent.get(key)
    if (known) known.packets++
    else sent.set(key, { node: nameOf(to), op: opName(op) as OpName, slot, value, sequence, atMs: timeMs, packets: 1 })
  }
  return [...sent.values()]
}
