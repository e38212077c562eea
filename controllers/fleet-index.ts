// Lookups kept current from store events, so that a change of one archive looks at one node's archives and not at all.
import { keyOf, type ObjectKey } from '../api/meta.ts'
import type { AnyObject, PpnObject } from '../api/v1alpha1/index.ts'
import type { FleetIndex } from './common/world.ts'
import type { Store, StoreEvent } from './ports/store.ts'

export interface LiveIndex extends FleetIndex {
  /** To be called with every store event before anyone asks. */
  take(event: StoreEvent): void
}

type Archive = PpnObject<'Archive'>
type Node = PpnObject<'Node'>

const archiveKey = ({ metadata: { name, namespace } }: Archive): ObjectKey => keyOf('Archive', name, namespace)

/** Nothing but status, labels and the like differs. */
const isDeclaredAlike = (a: Node, b: Node): boolean =>
  a.spec === b.spec &&
  a.metadata.uid === b.metadata.uid &&
  a.metadata.deletionTimestamp === b.metadata.deletionTimestamp

export function createFleetIndex(store: Pick<Store, 'list'>): LiveIndex {
  const archives = new Map<ObjectKey, Archive>()
  const byUid = new Map<string, Archive>()
  const byNode = new Map<string, Map<ObjectKey, Archive>>()
  const nodes = new Map<string, Node>()
  // Sorted views are made again only after a change.
  const sortedByNode = new Map<string, Archive[]>()
  let sortedNodes: Node[] | undefined
  let leaving: ObjectKey[] | undefined
  let edition = 0

  const dropArchive = (key: ObjectKey) => {
    const before = archives.get(key)
    if (!before) return
    archives.delete(key)
    if (byUid.get(before.metadata.uid) === before) byUid.delete(before.metadata.uid)
    byNode.get(before.spec.nodeName)?.delete(key)
    sortedByNode.delete(before.spec.nodeName)
  }
  const takeArchive = (archive: Archive) => {
    const key = archiveKey(archive)
    const { nodeName } = archive.spec
    dropArchive(key)
    archives.set(key, archive)
    byUid.set(archive.metadata.uid, archive)
    const there = byNode.get(nodeName) ?? new Map<ObjectKey, Archive>()
    byNode.set(nodeName, there.set(key, archive))
    sortedByNode.delete(nodeName)
  }
  const takeNode = (node: Node) => {
    const { name } = node.metadata
    const before = nodes.get(name)
    nodes.set(name, node)
    if (!before) sortedNodes = undefined
    else sortedNodes = sortedNodes?.map((other) => (other === before ? node : other))
    if (before && isDeclaredAlike(before, node)) return
    edition++
    leaving = undefined
  }
  const takeAny = (object: AnyObject) => {
    if (object.kind === 'Archive') takeArchive(object)
    if (object.kind === 'Node') takeNode(object)
  }
  const dropAny = (object: AnyObject) => {
    if (object.kind === 'Archive') dropArchive(archiveKey(object))
    if (object.kind !== 'Node') return
    nodes.delete(object.metadata.name)
    sortedNodes = undefined
    leaving = undefined
    edition++
  }
  const takeAll = () => {
    for (const map of [archives, byUid, byNode, nodes, sortedByNode]) map.clear()
    for (const archive of store.list('Archive')) takeArchive(archive)
    for (const node of store.list('Node')) takeNode(node)
    sortedNodes = undefined
    leaving = undefined
    edition++
  }
  takeAll()

  return {
    take(event) {
      if (event.type === 'synced') takeAll()
      if (event.type === 'upsert') takeAny(event.object)
      if (event.type === 'removed') dropAny(event.object)
    },
    archivesNaming(node) {
      let sorted = sortedByNode.get(node)
      if (!sorted) {
        sorted = [...(byNode.get(node)?.entries() ?? [])]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([, archive]) => archive)
        sortedByNode.set(node, sorted)
      }
      return sorted
    },
    archiveByUid: (uid) => byUid.get(uid),
    nodes() {
      sortedNodes ??= [...nodes.values()].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
      return sortedNodes
    },
    leavingNodes() {
      leaving ??= [...nodes.values()].flatMap(({ metadata: { name, deletionTimestamp } }) =>
        deletionTimestamp === undefined ? [] : [keyOf('Node', name)],
      )
      return leaving
    },
    edition: () => edition,
  }
}
