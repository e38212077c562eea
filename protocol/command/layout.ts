// The 16 bytes of a command (section 7.1), big-endian:
//   0 op   1 target   2 slot   3-4 value   5-8 sequence   9-15 tag
import type { AuthorityId, EnrolmentId, MeshId, NodeId, Sequence, TargetByte, Term } from '../ids.ts'
import { type Command, OP, type Op } from './ops.ts'

export const COMMAND_BYTES = 16
export const AT = { op: 0, target: 1, slot: 2, value: 3, sequence: 5, tag: 9 } as const
export const TAG_BYTES = COMMAND_BYTES - AT.tag

/** What a packet says. */
export interface CommandPacket extends Command {
  target: TargetByte
  sequence: Sequence
}

/** Who speaks to whom, in which reign: part of what is tagged, no byte of the packet. */
export interface CommandContext {
  meshId: MeshId
  authorityId: AuthorityId
  nodeId: NodeId
  enrolmentId: EnrolmentId
  term: Term
}

interface OpRule {
  /** Whether the op is about the node (slot 0) or an archive (slot 1-255). */
  about: 'node' | 'archive'
  /** May be addressed to 255. */
  toAll: boolean
  lowest: number
  highest: number
}

export const OP_RULES: Record<Op, OpRule> = {
  [OP.PING]: { about: 'node', toAll: true, lowest: 0, highest: 0 },
  [OP.APPLY]: { about: 'node', toAll: true, lowest: 0, highest: 0xffff },
  [OP.ISOLATE]: { about: 'node', toAll: false, lowest: 0, highest: 1 },
  [OP.POWER]: { about: 'archive', toAll: false, lowest: 0, highest: 3 },
  // Units of 16 MiB: a target of no memory is none.
  [OP.BALLOON]: { about: 'archive', toAll: false, lowest: 1, highest: 0xffff },
  [OP.WEIGHT]: { about: 'archive', toAll: false, lowest: 1, highest: 10_000 },
  [OP.REKEY]: { about: 'node', toAll: false, lowest: 1, highest: 2 },
  [OP.SEVER]: { about: 'node', toAll: false, lowest: 1, highest: 1 },
}
