// Every object of a store by key, and per kind in the order of namespace and name.
import { KINDS, type Kind, type ObjectKey } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import { indexIn } from './sorted.ts'
import { keyOfStored, type StoredObject } from './stored.ts'

interface OneKind {
  /** `namespace NUL name`: NUL sorts before every character of a name. */
  order: string[]
  objects: AnyObject[]
}

const orderOf = ({ metadata }: AnyObject) => `${metadata.namespace ?? ''}\0${metadata.name}`

export interface Table {
  readonly rows: ReadonlyMap<ObjectKey, StoredObject>
  set(row: StoredObject): void
  delete(key: ObjectKey): void
  /** A new array each time; the objects are shared. */
  list(kind: Kind): AnyObject[]
}

export function objectTable(rows: readonly StoredObject[]): Table {
  const byKey = new Map<ObjectKey, StoredObject>()
  const kinds = new Map<Kind, OneKind>(KINDS.map((kind) => [kind, { order: [], objects: [] }]))

  const set = (row: StoredObject) => {
    byKey.set(keyOfStored(row), row)
    const { order, objects } = kinds.get(row.object.kind)!
    const at = orderOf(row.object)
    const { index, found } = indexIn(order, at)
    if (!found) order.splice(index, 0, at)
    objects.splice(index, found ? 1 : 0, row.object)
  }
  rows.forEach(set)

  return {
    rows: byKey,
    set,
    delete(key) {
      const row = byKey.get(key)
      if (!row) return
      byKey.delete(key)
      const { order, objects } = kinds.get(row.object.kind)!
      const { index } = indexIn(order, orderOf(row.object))
      order.splice(index, 1)
      objects.splice(index, 1)
    },
    list: (kind) => kinds.get(kind)!.objects.slice(),
  }
}
