// What a source says at one instant, read as a whole.
import type { ObjectKey } from '../../api/meta.ts'
import type { ObjectDraft } from '../../api/parse.ts'
import type { SourceLocation } from '../../base/errors.ts'
import type { SourceProblem } from '../../controllers/ports/store.ts'

/** Path from a document's root: `['spec', 'memory']`. */
export type FieldPath = readonly (string | number)[]

export interface Definition {
  draft: ObjectDraft
  /** Absent for a source without files. */
  file?: string
  /** Line and column of a field (or of its nearest parent that is there); worked out only when asked. */
  locate?: (path: FieldPath) => SourceLocation
}

/** A definition that names its object but cannot be accepted. */
export interface Spoilt {
  key: ObjectKey
  file?: string
}

export interface SourceSnapshot {
  /** In the order of the source; two of one key are duplicates. */
  definitions: readonly Definition[]
  spoilt: readonly Spoilt[]
  /** Places of which not even the names could be read in full: while there is one, nothing is removed (law 3). */
  unread: readonly string[]
  problems: readonly SourceProblem[]
}
