// What a move needs of the two places: a state folder with its fleet folder, and a namespace on a cluster.
import type { ObjectKey } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import type { ChainHead } from '../../base/chained-log.ts'
import type { PlaceMark } from './mark.ts'
import type { Fact } from './uids.ts'

export interface MovedObject {
  object: AnyObject
  /** The spec as its author wrote it. */
  raw: unknown
  /** Made by `ppn`, not declared: a Pairing. */
  act: boolean
}

/** All that makes an authority, wherever it is kept. */
export interface AuthorityState {
  objects: readonly MovedObject[]
  facts: readonly Fact[]
  /** Every byte of `nodes.jsonl`. */
  registry: Uint8Array
  auditHead: ChainHead
  /** The files of `keys/` by name, the operator's secret half never among them. */
  keys: ReadonlyMap<string, Uint8Array>
  /** Its reason, when it is set. */
  brake?: string
}

/** What arriving would do to declarations. */
export interface ArrivalPlan {
  declare: readonly ObjectKey[]
  /** There already, and equal. */
  kept: readonly ObjectKey[]
}

/** Held exclusively for as long as it is open: no authority starts there meanwhile. */
export interface Place {
  /** For people. */
  readonly name: string
  mark(): Promise<PlaceMark | undefined>
  /** Durable when it resolves. Rejects when the place is not ours (any more). */
  setMark(mark: PlaceMark | undefined): Promise<void>
  /** What of an authority lies here, marks aside; undefined: nothing. */
  occupied(): Promise<string | undefined>
  /** Rejects for whatever cannot be read in full. */
  read(): Promise<AuthorityState>
  /** Rejects (MigrateRefused) unless all of `state` could be taken in. Writes nothing. */
  plan(state: AuthorityState): Promise<ArrivalPlan>
  /** Takes it in, whatever an attempt that was cut short has left. Durable when it resolves. */
  fill(state: AuthorityState): Promise<void>
  /** After it has left for good: the brake went with it, and nobody here would take our finalizers away any more. */
  letGo(): Promise<void>
}
