// The readiness table of DESIGN section 5: kind, declared, observed -> conditions, reason. It is the code (`readiness`),
// the test (index.test.ts) and the page (docs/conditions.md).
import type { Condition, Kind } from '../meta.ts'
import { type ArchiveFacts, archiveTable } from './archive.ts'
import { type MeshFacts, meshTable } from './mesh.ts'
import { type NodeFacts, nodeTable } from './node.ts'
import { type PairingFacts, pairingTable } from './pairing.ts'
import { type ResourcePoolFacts, resourcePoolTable } from './resource-pool.ts'
import { CONDITIONS_OF, type Domain, decide, type FactsOf, type Table, type Verdict } from './table.ts'

export interface FactsByKind {
  Mesh: MeshFacts
  Node: NodeFacts
  Pairing: PairingFacts
  ResourcePool: ResourcePoolFacts
  Archive: ArchiveFacts
}

export const READINESS: Readonly<Record<Kind, Table<Domain>>> = {
  Mesh: meshTable as unknown as Table<Domain>,
  Node: nodeTable as unknown as Table<Domain>,
  Pairing: pairingTable as unknown as Table<Domain>,
  ResourcePool: resourcePoolTable as unknown as Table<Domain>,
  Archive: archiveTable as unknown as Table<Domain>,
}

/** A condition before it is known whether its status moved. */
export type ConditionDraft = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>

export interface Readiness {
  verdict: Verdict
  reason: string
  message: string
  /** Ready, Reconciling, Stalled. */
  conditions: ConditionDraft[]
}

/** What the table says of these facts. `details` fill the message; a missing one reads `unknown`. */
export function readiness<K extends Kind>(
  kind: K,
  facts: FactsByKind[K],
  details: Readonly<Record<string, string | undefined>> = {},
): Readiness {
  const row = decide(READINESS[kind], facts as unknown as FactsOf<Domain>)
  const { verdict, reason } = row
  const message = row.message.replace(/\{(\w+)\}/g, (_, name: string) => details[name] ?? 'unknown')
  const conditions = Object.entries(CONDITIONS_OF[verdict]).map(([type, status]) => ({ type, status, reason, message }))
  return { verdict, reason, message, conditions }
}
