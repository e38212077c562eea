// Where an authority speaks from: the mesh address of a node beside whose agent it runs.
import { authorityNodeNames } from '../../controllers/bundle/members.ts'
import type { Controllers } from '../../controllers/index.ts'
import { effectiveMesh } from '../../controllers/mesh/effective.ts'
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
}

/** `node`: the one this replica runs on; the first of the Mesh's authority nodes when absent. */
export function placesOf(controllers: Controllers, roster: Pick<Roster, 'get'>, node: string | undefined): Places {
  const { world } = controllers
  const names = () => authorityNodeNames(effectiveMesh(world).spec.authorityNodes, world.membership().hubs)
  const ownName = () => (node === undefined ? names()[0] : names().find((name) => name === node))
  return {
    own() {
      const name = ownName()
      const entry = name === undefined ? undefined : roster.get(name)
      return entry && { address: entry.address, ports: effectiveMesh(world).spec.ports }
    },
    missing() {
      if (node !== undefined && ownName() === undefined)
        return `${node} is none of the Mesh's authority nodes (${names().join(', ') || 'there are none'})`
      return 'the authority node has no address yet'
    },
    all: () => names().flatMap((name) => roster.get(name)?.address ?? []),
  }
}
