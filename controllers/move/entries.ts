// What a move puts into the bundles of the nodes it concerns. Pure.
//
//   phase      old node                        new node
//   stopping   as ever                         nothing
//   releasing  remove: Retain                  nothing
//   copying    remove: Retain, push order      the definition, with root and sender: no disk is made there
//   landed     remove: Retain                  the same
//   returning  the definition, adopting again  remove: Delete, if it had a place there
//   cleaning   remove: Delete (what is left)   the definition
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { BundleArchive, BundleContent } from '../../protocol/bundle/document.ts'
import { archiveEntry } from '../bundle/entry.ts'
import type { Placement } from '../ports/allocator.ts'
import { isRaised } from './next.ts'
import type { Move } from './record.ts'

type Archive = PpnObject<'Archive'>
type Push = BundleContent['pushes'][number]

/**
 * Its entry in the bundle of a node that the move concerns; `none`: it is not to be listed there; `ordinary`: the move
 * does not change it. `senderAddress`: the old node's on the mesh.
 */
export function moveEntry(
  archive: Archive,
  placement: Placement,
  move: Move,
  node: string,
  senderAddress: string | undefined,
): BundleArchive | 'none' | 'ordinary' {
  const { phase, from, leftover } = move
  const given = () => archiveEntry(archive, from, 'Retain')
  if (node === placement.node) {
    switch (phase) {
      case 'stopping':
      case 'cleaning':
        return 'ordinary'
      case 'releasing':
        return given()
      case 'copying':
      case 'landed':
        if (node === from.node) return given()
        return isRaised(placement, move) ? arriving(archive, placement, move, senderAddress) : 'none'
      case 'returning':
        if (node !== from.node) return leftover ? archiveEntry(archive, leftover, 'Delete') : 'none'
        return isRaised(placement, move) ? { ...archiveEntry(archive, placement), adoptDisk: placement.id } : given()
    }
  }
  if (leftover?.node === node) return archiveEntry(archive, leftover, 'Delete')
  const still = phase === 'copying' || phase === 'landed' || phase === 'returning'
  return still && node === from.node ? given() : 'none'
}

function arriving(
  archive: Archive,
  placement: Placement,
  { root }: Move,
  receiveFrom: string | undefined,
): BundleArchive {
  return {
    ...archiveEntry(archive, placement),
    ...(root !== undefined && { chunkListRoot: root }),
    ...(receiveFrom !== undefined && { receiveFrom }),
  }
}

/** The order in the old node's bundle; without an address it reads the disk through and pushes nothing yet. */
export function pushOrder(
  { phase, from, to, fromChunk }: Move,
  placement: Placement,
  receiver: { nodeId: Push['toNode']; address: string },
): Push | undefined {
  if (phase !== 'releasing' && phase !== 'copying') return undefined
  const order = { archive: from.id, toNode: receiver.nodeId }
  if (phase === 'releasing' || placement.node !== to || placement.fencingEpoch <= from.fencingEpoch) return order
  return { ...order, toAddress: receiver.address, ...(fromChunk !== undefined && { fromChunk }) }
}
