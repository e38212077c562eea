// Law 3 over a store: decides when asked, remembers durably (records `hold/<kind>/<uid>`), so that a hold survives a
// restart and a deletion finished a minute ago still counts.
import { ANNOTATION, KINDS, type Kind, type ObjectKey } from '../../api/meta.ts'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { Clock } from '../../base/clock.ts'
import { rfc3339 } from '../common/conditions.ts'
import { objectKey } from '../common/perform.ts'
import { teardownBegun } from '../common/teardown.ts'
import type { Hold, Holds } from '../common/world.ts'
import type { RecordStore, Store, StoredRecord } from '../ports/store.ts'
import { type Deletion, decideHolds, type Present } from './decide.ts'

export interface HoldsOptions {
  store: Store
  clock: Clock
  /** The object was let go: it should run. */
  released(key: ObjectKey): void
}

/** A Pairing is an act, not a thing that exists: taking it back undoes nothing and empties no kind. */
const HELD_KINDS: readonly Kind[] = KINDS.filter((kind) => kind !== 'Pairing')

const prefixOf = (kind: Kind): string => `hold/${kind}/`

export function createHolds({ store, clock, released }: HoldsOptions): Holds {
  // One decision of a kind at a time: two tombstones asking at once must see each other's.
  const turns = new Map<Kind, Promise<unknown>>()
  const inTurn = <T>(kind: Kind, act: () => Promise<T>): Promise<T> => {
    const turn = (turns.get(kind) ?? Promise.resolve()).then(act, act)
    turns.set(kind, turn)
    return turn
  }

  const remembered = (kind: Kind): StoredRecord[] => store.records.list(prefixOf(kind))
  const deletionOf = (object: PpnObject): Deletion | undefined =>
    store.records.get(prefixOf(object.kind) + object.metadata.uid)?.value as Deletion | undefined
  const present = (kind: Kind): Present[] => store.list(kind).map((object) => presentAs(object, store.records))

  async function decide(kind: Kind): Promise<Deletion[]> {
    const earlier = remembered(kind)
    const next = decideHolds(
      kind,
      present(kind),
      earlier.map((record) => record.value as Deletion),
      clock.now(),
    )
    await writeDifference(store.records, kind, earlier, next)
    return next
  }

  async function confirmOne(deletion: Deletion): Promise<void> {
    const record = store.records.get(prefixOf(deletion.kind) + deletion.uid)
    const { rule: _, message: __, heldMs: ___, ...rest } = deletion
    await store.records.put(
      prefixOf(deletion.kind) + deletion.uid,
      { ...rest, state: 'confirmed' },
      record?.version ?? 0,
    )
    released(deletion.key)
  }

  return {
    async isHeld(object) {
      if (object.metadata.deletionTimestamp === undefined || !HELD_KINDS.includes(object.kind)) return undefined
      const deletions = await inTurn(object.kind, () => decide(object.kind))
      const deletion = deletions.find(({ uid }) => uid === object.metadata.uid)
      return deletion?.state === 'held' ? holdOf(deletion) : undefined
    },
    isConfirmed: (object) => confirmedByAnnotation(object) || deletionOf(object)?.state === 'confirmed',
    async confirm(which) {
      const confirmed: ObjectKey[] = []
      for (const kind of HELD_KINDS) {
        await inTurn(kind, async () => {
          await decide(kind)
          const tombstones = new Set(present(kind).flatMap((o) => (o.deletedMs === undefined ? [] : [o.uid])))
          for (const { value } of remembered(kind)) {
            const deletion = value as Deletion
            const wanted = which === 'all' ? deletion.state === 'held' : deletion.key === which
            if (!wanted || deletion.state === 'confirmed' || !tombstones.has(deletion.uid)) continue
            await confirmOne(deletion)
            confirmed.push(deletion.key)
          }
        })
      }
      return confirmed
    },
    list: () =>
      HELD_KINDS.flatMap(remembered)
        .map((record) => record.value as Deletion)
        .filter((deletion) => deletion.state === 'held' && isTombstone(store, deletion))
        .map(holdOf)
        .sort((a, b) => (a.key < b.key ? -1 : 1)),
  }
}

function isTombstone(store: Store, deletion: Deletion): boolean {
  const object = store.getByKey(deletion.key)
  return object?.metadata.uid === deletion.uid && object.metadata.deletionTimestamp !== undefined
}

function presentAs(object: PpnObject, records: RecordStore): Present {
  const { uid, creationTimestamp, deletionTimestamp } = object.metadata
  return {
    key: objectKey(object),
    uid,
    createdMs: Date.parse(creationTimestamp),
    ...(deletionTimestamp !== undefined && { deletedMs: Date.parse(deletionTimestamp) }),
    begun: teardownBegun(records, uid),
    confirmed: confirmedByAnnotation(object),
  }
}

function confirmedByAnnotation(object: PpnObject): boolean {
  return object.metadata.annotations[ANNOTATION.confirmDelete] === object.metadata.name
}

function holdOf(deletion: Deletion): Hold {
  return {
    key: deletion.key,
    uid: deletion.uid,
    rule: deletion.rule as Hold['rule'],
    message: deletion.message as string,
    since: rfc3339(deletion.heldMs as number),
  }
}

async function writeDifference(
  records: RecordStore,
  kind: Kind,
  earlier: readonly StoredRecord[],
  next: readonly Deletion[],
): Promise<void> {
  const kept = new Set(next.map((deletion) => prefixOf(kind) + deletion.uid))
  const byKey = new Map(earlier.map((record) => [record.key, record]))
  for (const deletion of next) {
    const before = byKey.get(prefixOf(kind) + deletion.uid)
    if ((before?.value as Deletion | undefined)?.state === deletion.state) continue
    await records.put(prefixOf(kind) + deletion.uid, deletion, before?.version ?? 0)
  }
  for (const record of earlier) if (!kept.has(record.key)) await records.delete(record.key, record.version)
}
