// What a completely read source means for the objects a store holds. Pure: the store carries out the changes.
//
// Guarantees (DESIGN sections 4.3 and 5):
// - an object goes only when the source was read in full and does not name it;
// - what the source names but says wrongly, twice, or against an immutable field stays at its last good state;
// - a tombstone returns to life when its definition returns before the first irreversible effect.
import { isDeepStrictEqual } from 'node:util'
import { immutableBreaches } from '../../api/immutable.ts'
import type { ObjectKey } from '../../api/meta.ts'
import type { SourceProblem } from '../../controllers/ports/store.ts'
import { problemOf } from './problem.ts'
import type { Definition, SourceSnapshot } from './snapshot.ts'
import { isTombstone, type StoredObject } from './stored.ts'

export type Change =
  | { do: 'create'; key: ObjectKey; definition: Definition }
  | { do: 'update'; key: ObjectKey; definition: Definition; specChanged: boolean }
  /** Only the place or the draft's identity moved; nothing a reader sees. */
  | { do: 'note'; key: ObjectKey; definition: Definition }
  /** A tombstone that the source still names, though not readably. */
  | { do: 'revive'; key: ObjectKey }
  | { do: 'bury'; key: ObjectKey }
  /** The old object's deletion is past return: the definition makes a new object once it is gone. */
  | { do: 'await'; key: ObjectKey; definition: Definition }

export interface Verdict {
  changes: Change[]
  problems: SourceProblem[]
}

const place = ({ file, locate }: Definition) => {
  const at = locate?.(['metadata', 'name'])
  return at ? `${at.file}:${at.line}` : (file ?? 'here')
}

function groupByKey(definitions: readonly Definition[]): Map<ObjectKey, Definition | Definition[]> {
  const groups = new Map<ObjectKey, Definition | Definition[]>()
  for (const definition of definitions) {
    const { key } = definition.draft
    const before = groups.get(key)
    groups.set(key, before === undefined ? definition : [before, definition].flat())
  }
  return groups
}

function judgeDuplicates(
  key: ObjectKey,
  all: readonly Definition[],
  stored: StoredObject | undefined,
): SourceProblem[] {
  const places = all.map(place)
  if (stored?.origin === 'act') places.push('an act')
  const details = { key, places: places.join(', ') }
  return all.map((d) =>
    problemOf('DuplicateObject', details, { key, at: d.locate?.(['metadata', 'name']), file: d.file }),
  )
}

/** A definition of an object that is already there. */
function judgeKnown(key: ObjectKey, definition: Definition, stored: StoredObject, problems: SourceProblem[]): Change[] {
  if (stored.draft === definition.draft && !isTombstone(stored) && stored.file === definition.file) return []
  if (stored.committed) return [{ do: 'await', key, definition }]
  const { draft } = definition
  const breaches = immutableBreaches(draft.kind, stored.object.spec, draft.spec)
  if (breaches.length > 0) {
    for (const field of breaches) {
      const at = definition.locate?.(['spec', field])
      problems.push(problemOf('ImmutableField', { key, field }, { key, at, file: definition.file }))
    }
    return isTombstone(stored) ? [{ do: 'revive', key }] : []
  }
  const { metadata, spec } = stored.object
  const specChanged = !isDeepStrictEqual(stored.raw, draft.raw)
  const same =
    !specChanged &&
    !isTombstone(stored) &&
    isDeepStrictEqual(metadata.labels, draft.labels) &&
    isDeepStrictEqual(metadata.annotations, draft.annotations) &&
    isDeepStrictEqual(spec, draft.spec)
  return [same ? { do: 'note', key, definition } : { do: 'update', key, definition, specChanged }]
}

/** An object of the source that has no sound definition in it now. */
function judgeMissing(
  key: ObjectKey,
  stored: StoredObject,
  spoilt: ReadonlySet<ObjectKey>,
  unread: readonly string[],
  problems: SourceProblem[],
): Change[] {
  const gone = isTombstone(stored)
  if (spoilt.has(key) || (stored.file !== undefined && unread.includes(stored.file)))
    return gone && !stored.committed ? [{ do: 'revive', key }] : []
  if (gone) return []
  if (unread.length === 0) return [{ do: 'bury', key }]
  problems.push(problemOf('RemovalHeld', { key, file: unread[0] }, { key, severity: 'warning' }))
  return []
}

/** Compares everything the source says with everything stored. Changes come in the order of the source. */
export function judge(stored: ReadonlyMap<ObjectKey, StoredObject>, snapshot: SourceSnapshot): Verdict {
  const changes: Change[] = []
  const problems: SourceProblem[] = []
  const spoilt = new Set(snapshot.spoilt.map(({ key }) => key))
  const groups = groupByKey(snapshot.definitions)
  /** Named, but judged like what is not: by the second pass. */
  const leftOver = new Set<ObjectKey>()
  for (const [key, group] of groups) {
    const known = stored.get(key)
    if (Array.isArray(group) || known?.origin === 'act') {
      problems.push(...judgeDuplicates(key, [group].flat(), known))
      if (known && known.origin !== 'act' && isTombstone(known) && !known.committed) changes.push({ do: 'revive', key })
      continue
    }
    // Named twice, once unreadably: nobody can say which is meant, so the last good state stays.
    if (spoilt.has(key)) {
      leftOver.add(key)
      continue
    }
    if (known === undefined) changes.push({ do: 'create', key, definition: group })
    else if (known.file !== group.file && known.file !== undefined && snapshot.unread.includes(known.file)) {
      const at = group.locate?.(['metadata', 'name'])
      problems.push(problemOf('HeldByBadFile', { key, file: known.file }, { key, at, file: group.file }))
    } else changes.push(...judgeKnown(key, group, known, problems))
  }
  for (const [key, known] of stored) {
    if (known.origin === 'act' || (groups.has(key) && !leftOver.has(key))) continue
    changes.push(...judgeMissing(key, known, spoilt, snapshot.unread, problems))
  }
  return { changes, problems }
}
