// Who comes first when several newcomers want the same thing (DESIGN "Admission"). The answer depends on the objects
// alone, never on which reconcile happened to run first, so every store and every restart gives the same winner.
import type { Kind } from '../../api/meta.ts'

export interface Newcomer {
  kind: Kind
  metadata: { name: string; namespace?: string; uid: string; creationTimestamp: string }
}

// Node before Archive; the other kinds stand where `KINDS` has them and never contend with these two.
const RANK: Record<Kind, number> = { Mesh: 0, Node: 1, Pairing: 2, ResourcePool: 3, Archive: 4 }

// By code unit, not by locale: the order must be the same on every machine.
function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

// Most of a fleet is first seen in one reading.
const byTime = (a: string, b: string): number => (a === b ? 0 : Date.parse(a) - Date.parse(b))

/** A total order over distinct objects, for `sort`: Node before Archive, then first seen, then name, then uid. */
export function newcomerOrder(a: Newcomer, b: Newcomer): number {
  return (
    RANK[a.kind] - RANK[b.kind] ||
    byTime(a.metadata.creationTimestamp, b.metadata.creationTimestamp) ||
    byText(a.metadata.name, b.metadata.name) ||
    byText(a.metadata.namespace ?? '', b.metadata.namespace ?? '') ||
    byText(a.metadata.uid, b.metadata.uid)
  )
}
