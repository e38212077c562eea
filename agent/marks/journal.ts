// What the node has last obeyed, per (op, slot). A mark is durable as `begun` before its act and `done` after it.
// Guarantee: what `get` shows never falls, neither over restarts nor failed writes, except by a floor that voids it.
import { z } from 'zod'
import type { Files } from '../../base/files.ts'
import type { Op } from '../../protocol/command/ops.ts'
import { compareSequence, type SequenceMark, type Slot } from '../../protocol/ids.ts'
import type { Mark } from '../../protocol/telemetry/report.ts'
import { groupCommit } from '../durable/group-commit.ts'
import { openJson, sealJson } from '../durable/sealed-json.ts'

const FILE = 'marks'
const u32 = z.int().min(0).max(0xffff_ffff)
const slot = z.int().min(0).max(255)

/** Tuples, because a busy node rewrites 2,000 of them with every group of commands. */
const marksFile = z.strictObject({
  /** slot, term, sequence; slot 0 is the whole node. */
  floors: z.array(z.tuple([slot, u32, u32])),
  /** op, slot, term, sequence, value, done (0 or 1) */
  marks: z.array(z.tuple([z.int().min(1).max(255), slot, u32, u32, z.int().min(0).max(65535), z.int().min(0).max(1)])),
})
type MarksFile = z.output<typeof marksFile>

export interface Floor extends SequenceMark {
  /** 0: every (op, slot) of the node. */
  slot: Slot
}

export interface MarkJournal {
  /** The file could not be read, or was gone although the node had been enrolled: commands are refused. */
  lost(): boolean
  /** The newest accepted mark, durable or about to be; undefined when there is none or a floor voids it. */
  get(op: Op, slot: Slot): Mark | undefined
  /** What telemetry shows: only what would survive a power cut. */
  durable(): Mark[]
  /** A command at or above this is new; below it, it is void. */
  floor(slot: Slot): SequenceMark
  /**
   * Takes the mark at once, so that a copy of the packet is a duplicate; resolves when durable as `begun`. Rejects
   * one that is not newer than the last.
   */
  begin(mark: Omit<Mark, 'state'>): Promise<void>
  /** Resolves when durable. Nothing, if a newer command has begun meanwhile. */
  done(mark: SequenceMark & { op: Op; slot: Slot }): Promise<void>
  /** Raises floors, drops the marks below them, and ends `lost` when the node-wide floor rises. */
  raiseFloors(floors: readonly Floor[]): Promise<void>
}

const keyOf = (op: number, slotNumber: number): number => op * 256 + slotNumber
const NO_FLOOR: SequenceMark = { term: 0, sequence: 0 }

/** Writes an empty journal: at enrolment, so that a missing file later means a lost one. */
export async function initMarks(files: Files): Promise<void> {
  if ((await files.read(FILE)) === undefined) await files.write(FILE, sealJson({ floors: [], marks: [] }))
}

/**
 * `lostBelow`: the node-wide minSequence of the applied bundle. When the marks are lost, only a higher one than
 * that ends the loss: the old one may be from an earlier repair.
 */
export async function openMarks(files: Files, lostBelow: SequenceMark = NO_FLOOR): Promise<MarkJournal> {
  const bytes = await files.read(FILE)
  const read = bytes && openJson<MarksFile>(bytes, marksFile)
  let lost = read === undefined
  let floors = new Map<number, SequenceMark>()
  const accepted = new Map<number, Mark>()
  if (lost) floors.set(0, lostBelow)
  for (const [s, term, sequence] of read?.floors ?? []) floors.set(s, { term, sequence })
  for (const [op, s, term, sequence, value, isDone] of read?.marks ?? []) {
    const mark: Mark = { op: op as Op, slot: s, term, sequence, value, state: isDone ? 'done' : 'begun' }
    accepted.set(keyOf(op, s), mark)
  }
  let durable = new Map(accepted)

  const encode = (): Uint8Array =>
    sealJson({
      floors: [...floors].map(([s, f]) => [s, f.term, f.sequence]),
      marks: [...accepted.values()].map((m) => [m.op, m.slot, m.term, m.sequence, m.value, m.state === 'done' ? 1 : 0]),
    } satisfies MarksFile)

  const disk = groupCommit(async () => {
    const writing = new Map(accepted)
    try {
      await files.write(FILE, encode())
      durable = writing
    } catch (error) {
      // A mark that did not become durable is given back, so that the sender's next copy is taken as new. One that
      // a newer command replaced meanwhile stays: the next write carries it.
      for (const [key, mark] of writing) {
        const before = durable.get(key)
        if (accepted.get(key) !== mark || (before && compareSequence(before, mark) === 0)) continue
        if (before) accepted.set(key, before)
        else accepted.delete(key)
      }
      throw error
    }
  })

  const floorOf = (s: number): SequenceMark => {
    const node = floors.get(0) ?? NO_FLOOR
    const own = floors.get(s) ?? NO_FLOOR
    return compareSequence(node, own) >= 0 ? node : own
  }

  return {
    lost: () => lost,
    get: (op, s) => accepted.get(keyOf(op, s)),
    durable: () => [...durable.values()],
    floor: floorOf,
    async begin(mark) {
      const newest = accepted.get(keyOf(mark.op, mark.slot))
      if (newest && compareSequence(mark, newest) <= 0) throw new RangeError('a mark never falls')
      accepted.set(keyOf(mark.op, mark.slot), { ...mark, state: 'begun' })
      await disk.commit()
    },
    async done(mark) {
      const key = keyOf(mark.op, mark.slot)
      const now = accepted.get(key)
      if (!now || now.state === 'done' || compareSequence(now, mark) !== 0) return
      accepted.set(key, { ...now, state: 'done' })
      await disk.commit()
    },
    async raiseFloors(raised) {
      const next = new Map(floors)
      let nodeRose = false
      for (const f of raised) {
        const old = next.get(f.slot) ?? NO_FLOOR
        if (compareSequence(f, old) <= 0) continue
        next.set(f.slot, { term: f.term, sequence: f.sequence })
        if (f.slot === 0) nodeRose = true
      }
      if (lost && !nodeRose) return
      const rose = raised.some((f) => compareSequence(f, floors.get(f.slot) ?? NO_FLOOR) > 0)
      if (!rose) return
      floors = next
      for (const [key, mark] of accepted) if (compareSequence(mark, floorOf(mark.slot)) < 0) accepted.delete(key)
      await disk.commit()
      lost = false
    },
  }
}
