// What `kubectl get` and `ppn get` print: one table for both. Priority 0 always, 1 with `-o wide`.
import type { Kind } from '../meta.ts'

export interface Column {
  name: string
  type: 'string' | 'integer' | 'date'
  /** JSONPath in the subset that the API server takes for printer columns. */
  jsonPath: string
  priority: 0 | 1
  description: string
}

const condition = (type: string, field = 'status') => `.status.conditions[?(@.type=="${type}")].${field}`

const ready: Column = {
  name: 'Ready',
  type: 'string',
  jsonPath: condition('Ready'),
  priority: 0,
  description: 'Seen by fresh telemetry in the declared state.',
}
const reason: Column = {
  name: 'Reason',
  type: 'string',
  jsonPath: condition('Ready', 'reason'),
  priority: 0,
  description: 'Why it is Ready, or not.',
}
const age: Column = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  priority: 0,
  description: 'Since when the control plane knows it.',
}
const message: Column = {
  name: 'Message',
  type: 'string',
  jsonPath: condition('Ready', 'message'),
  priority: 1,
  description: 'The reason, for a person.',
}

const column = (
  name: string,
  type: Column['type'],
  jsonPath: string,
  description: string,
  priority: 0 | 1 = 0,
): Column => ({
  name,
  type,
  jsonPath,
  priority,
  description,
})

export const COLUMNS: Readonly<Record<Kind, readonly Column[]>> = {
  Mesh: [
    column('CIDR', 'string', '.spec.cidr', 'Network of the mesh.'),
    column('Nodes', 'integer', '.status.nodes', 'Nodes of the mesh.'),
    column('Nodes-Ready', 'integer', '.status.nodesReady', 'Nodes that are Ready.'),
    ready,
    reason,
    age,
    column('Term', 'integer', '.status.term', 'Reign of the authority.', 1),
    column('Revision', 'integer', '.status.revision', 'Highest revision given out.', 1),
    message,
  ],
  Node: [
    column('Role', 'string', '.spec.role', 'hub or spoke.'),
    column('Address', 'string', '.status.address', 'Mesh address.'),
    ready,
    reason,
    age,
    column('Site', 'string', '.spec.site', 'Where the machine stands.', 1),
    column('Endpoint', 'string', '.spec.endpoint', 'Where others reach it.', 1),
    column('Revision', 'integer', '.status.revisionApplied', 'Revision of the applied bundle.', 1),
    column('Version', 'string', '.status.agentVersion', 'Version of the agent.', 1),
    column('Last-Heard', 'date', '.status.lastHeard', 'When it was last heard.', 1),
    message,
  ],
  Pairing: [
    column('Node', 'string', '.spec.nodeName', 'The node that joins.'),
    column('Phase', 'string', '.status.phase', 'How far the ceremony is.'),
    age,
    reason,
    message,
  ],
  ResourcePool: [
    column('Physical-MiB', 'integer', '.status.physicalMiB', 'Memory of the machine, MiB.'),
    column('Floors-MiB', 'integer', '.status.floorsMiB', 'Sum of the floors, MiB.'),
    column('Reclaimable-MiB', 'integer', '.status.reclaimableMiB', 'Physical less reserved less floors, MiB.'),
    column('Pressure', 'string', '.status.pressure', 'None, Low, High or Emergency.'),
    ready,
    age,
    column('Policy', 'string', '.spec.memory.balloon.policy', 'Who moves memory.', 1),
    column('Free-MiB', 'integer', '.status.freeMiB', 'Free memory, MiB.', 1),
    message,
  ],
  Archive: [
    column('Node', 'string', '.status.nodeName', 'Where it lives.'),
    column('Phase', 'string', '.status.phase', 'Where in its life it is.'),
    column('Memory-MiB', 'integer', '.status.memoryActualMiB', 'Memory it has, MiB.'),
    ready,
    reason,
    age,
    column('Slot', 'integer', '.status.slot', 'Its number on the node.', 1),
    column('Weight', 'integer', '.status.weight', 'cpu.weight in force.', 1),
    column('Restarts', 'integer', '.status.restarts', 'Restarts by its node.', 1),
    message,
  ],
}
