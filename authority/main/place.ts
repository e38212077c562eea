// Where an authority speaks from: the mesh address of a node beside whose agent it runs.
import { peerFor } from '../../base/cryptokey-routing.ts'
import { authorityNodeNames } from '../../controllers/bundle/members.ts'
import type { Controllers } from '../../controllers/index.ts'
import { effectiveMesh } from '../../controllers/mesh/effective.ts'
import type { WantedContent } from '../../controllers/ports/bundles.ts'
import type { Roster } from '../roster.ts'

export interface Place {
  address: string
  ports: { command: number; telemetry: number }
}

export interface Places {
  /** undefined: its node is no node of this mesh with an address yet, or none that an authority may speak from. */
  own(): Place | undefined
  /** Why there is none. */
  missing(): string
  /** Every address that an authority of this mesh may speak from, ours among them. */
  all(): string[]
  /**
   * Why a node that lives by this content alone would never hear of this authority; undefined: it would. Nodes are enrolled
   * one after the other, and what one is given in between leaves out whoever came later: another authority node, so that
   * nothing sent from there gets through; or the hub that leads there.
   */
  unreached(content: Pick<WantedContent, 'authorities' | 'node' | 'peers'>): string | undefined
}

/** `node`: the one this replica runs on; the first of the Mesh's authority nodes when absent. */
export function placesOf(controllers: Controllers, roster: Pick<Roster, 'get'>, node: string | undefined): Places {
  const { world } = controllers
  const names = () => authorityNodeNames(effectiveMesh(world).spec.authorityNodes, world.membership().hubs)
  const ownName = () => (node === undefined ? names()[0] : names().find((name) => name === node))
  const own = () => {
    const name = ownName()
    const entry = name === undefined ? undefined : roster.get(name)
    return entry && { address: entry.address, ports: effectiveMesh(world).spec.ports }
  }
  const missing = () => {
    const name = ownName()
    if (node !== undefined && name === undefined)
      return `${node} is none of the Mesh's authority nodes (${names().join(', ') || 'there are none'})`
    return `the authority node ${name === undefined ? '' : `${name} `}has no address or no keys yet`
  }
  return {
    own,
    missing,
    unreached({ authorities, node: { address: its }, peers }) {
      const { address } = own() ?? {}
      if (address === undefined) return missing()
      if (!authorities.some(({ addresses }) => addresses.includes(address)))
        return `${address}, where it stands, is not in it yet`
      if (its === address || peerFor(peers, address)) return undefined
      return `no hub that leads to ${address}, where it stands, has an address and keys yet`
    },
    all: () => names().flatMap((name) => roster.get(name)?.address ?? []),
  }
}
