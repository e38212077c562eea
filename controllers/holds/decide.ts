// Law 3: nothing is deleted because it cannot be seen. Which deletions wait for a person; pure.
import type { Kind, ObjectKey } from '../../api/meta.ts'

export const HOLD_WINDOW_MS = 10 * 60_000
/** Fewer deletions than this are only held when the kind would be empty. */
const MANY = 3
const SHARE = 0.3

/**
 * What is remembered of one deletion, until it leaves the window and its object is gone. free: it may go on;
 * held: it waits; confirmed: a person let it go.
 */
export interface Deletion {
  key: ObjectKey
  uid: string
  kind: Kind
  createdMs: number
  deletedMs: number
  state: 'free' | 'held' | 'confirmed'
  rule?: 'LastOfKind' | 'ManyAtOnce'
  message?: string
  heldMs?: number
}

/** An object of the kind that still exists. */
export interface Present {
  key: ObjectKey
  uid: string
  createdMs: number
  /** Set on a tombstone. */
  deletedMs?: number
  /** A tombstone's first irreversible effect is done: too late to hold it. */
  begun: boolean
  /** Its own annotation confirms it. */
  confirmed: boolean
}

/**
 * The deletions to remember from now on, of one kind. `earlier` are those remembered so far. A tombstone that came back
 * is forgotten; one that is held stays so until it is confirmed, however much time goes by; within the window every
 * deletion counts, finished ones too.
 */
export function decideHolds(
  kind: Kind,
  present: readonly Present[],
  earlier: readonly Deletion[],
  nowMs: number,
): Deletion[] {
  const horizonMs = nowMs - HOLD_WINDOW_MS
  const byUid = new Map(present.map((object) => [object.uid, object]))
  const known = new Map(earlier.map((deletion) => [deletion.uid, deletion]))
  const tombstones = present.filter((object) => object.deletedMs !== undefined)
  const finished = earlier.filter((deletion) => !byUid.has(deletion.uid) && deletion.deletedMs > horizonMs)

  const recent = tombstones.filter((object) => (object.deletedMs as number) > horizonMs)
  const going = recent.length + finished.length
  // The window begins with the first deletion in it: what came later was not there at its start.
  const startMs = Math.min(...[...recent, ...finished].map((d) => d.deletedMs as number))
  const countAtStart = [...present, ...finished].filter((o) => o.createdMs <= startMs).length
  const standing = present.length - tombstones.length

  const rule = standing === 0 ? 'LastOfKind' : going >= MANY && going > SHARE * countAtStart ? 'ManyAtOnce' : undefined
  const message =
    rule === 'LastOfKind'
      ? `no ${kind} would be left`
      : `${going} of ${countAtStart} objects of kind ${kind} would go within 10 minutes`

  const decideOne = (object: Present): Deletion => {
    const memory = known.get(object.uid)
    // It may have come back in between: what was said of that deletion does not bind this one.
    const before = memory?.deletedMs === object.deletedMs ? memory : undefined
    const base = {
      key: object.key,
      uid: object.uid,
      kind,
      createdMs: object.createdMs,
      deletedMs: object.deletedMs as number,
    }
    if (object.confirmed || before?.state === 'confirmed') return { ...base, state: 'confirmed' }
    if (before?.state === 'held') return before
    const concerned = rule !== undefined && !object.begun && base.deletedMs > horizonMs
    if (!concerned) return { ...base, state: 'free' }
    return { ...base, state: 'held', rule, message, heldMs: nowMs }
  }
  return [...finished, ...tombstones.map(decideOne)]
}
