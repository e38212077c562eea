// What becomes of one packet: section 7.1, "Receiver order". Pure.
import type { BundleContent } from '../../protocol/bundle/document.ts'
import { decodeCommand } from '../../protocol/command/decode.ts'
import { BALLOON_UNIT_MIB, type Command, OP, TARGET_ALL } from '../../protocol/command/ops.ts'
import { ticksAheadMs } from '../../protocol/command/sequence.ts'
import { compareSequence } from '../../protocol/ids.ts'
import type { Mark } from '../../protocol/telemetry/report.ts'
import type { Keyring, Signer } from './keyring.ts'
import { floorOf, type Memory } from './memory.ts'

const PACKET_BYTES = 16
const TARGET_AT = 1
/** On a node whose clock is synchronised, no packet acts that is further off than this. */
const CLOCK_LIMIT_MS = 120_000

export interface Verdict {
  /** The tag was right, whatever becomes of the command. */
  signer?: Signer
  /** Counted by this reason. With neither `refuse` nor `obey` it was for another node. */
  refuse?: string
  obey?: Mark
}

export function judgePacket(
  bytes: Uint8Array,
  from: string,
  own: { memory: Memory; content: BundleContent; keyring: Keyring; nowMs: number; synchronised: boolean },
): Verdict {
  const { memory, content, keyring } = own
  if (bytes.length !== PACKET_BYTES) return { refuse: 'BadLength' }
  if (!content.authorities.some((a) => a.addresses.includes(from))) return { refuse: 'NotAuthority' }
  const target = bytes[TARGET_AT]
  if (target === 0) return { refuse: 'BadTarget' }
  if (target !== TARGET_ALL && target !== Number(content.node.address.split('.')[3])) return {}
  const signer = keyring.signerOf(bytes, memory.term)
  if (!signer) return { refuse: 'BadTag' }
  const decoded = decodeCommand(bytes)
  if (!decoded.ok) return { refuse: decoded.reason }

  const { op, slot, value, sequence } = decoded.command
  const mark: Mark = { op, slot, value, sequence, term: signer.term, state: 'begun' }
  const refuse = (reason: string): Verdict => ({ signer, refuse: reason })
  if (memory.marksLost) return refuse('MarksLost')
  const offMs = Math.abs(ticksAheadMs(sequence, content.meshEpochMs, own.nowMs))
  if (own.synchronised && offMs > CLOCK_LIMIT_MS) return refuse('ClockOff')
  if (compareSequence(mark, floorOf(memory.floors, slot)) < 0) return refuse('Stale')
  const last = memory.marks.get(`${op}/${slot}`)
  const order = last ? compareSequence(mark, last) : 1
  if (order <= 0) return refuse(order === 0 ? 'Duplicate' : 'Stale')
  const why = forbidden(mark, content)
  return why === undefined ? { signer, obey: mark } : refuse(why)
}

/** A command only triggers what the applied bundle allows. */
function forbidden({ op, slot, value }: Command, content: BundleContent): string | undefined {
  if (slot === 0) {
    const leaves = (op === OP.ISOLATE || op === OP.SEVER) && value === 1
    const { role, address } = content.node
    const anchor = role === 'hub' || content.authorities.some((a) => a.addresses.includes(address))
    return leaves && anchor ? 'NotAllowed' : undefined
  }
  const archive = content.archives.find((a) => a.slot === slot)
  if (!archive) return 'UnknownSlot'
  if (archive.remove) return 'NotAllowed'
  if (op !== OP.BALLOON) return undefined
  const mib = value * BALLOON_UNIT_MIB
  const within = mib >= archive.floorMiB && mib <= archive.maxMiB
  return within && content.pool.balloon.policy === 'Manual' ? undefined : 'NotAllowed'
}
