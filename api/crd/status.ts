// Schemas of the status subresource: what the control plane writes, so nothing is validated here but shape and bounds.
import { z } from 'zod'
import type { Kind } from '../meta.ts'
import type { StatusOf } from '../v1alpha1/index.ts'
import { LIMITS } from './limits.ts'

const text = (max: number, what: string) => z.string().max(max).describe(what)
const count = (what: string) => z.int().min(0).max(LIMITS.int).describe(what)
const mib = (what: string) => count(`${what}, in MiB.`)

const condition = z.object({
  type: text(316, 'Type of the condition.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether the condition holds.'),
  reason: text(1024, 'Why, in one CamelCase word.'),
  message: text(32768, 'Why, for a person.'),
  observedGeneration: count('Generation the condition speaks of.'),
  lastTransitionTime: z.iso.datetime().max(64).describe('When status last changed.'),
})

const common = {
  observedGeneration: count('Generation of the spec that this status speaks of.'),
  conditions: z
    .array(condition)
    .max(32)
    .describe('Conditions; Ready, Reconciling and Stalled as kstatus reads them.')
    // Each belongs to whoever applies it: another controller may add one of its own (example.com/Audited).
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] }),
}

const peerPath = z.object({
  peer: text(63, 'Name of the other node.'),
  path: z.enum(['Direct', 'Relayed', 'Down']).describe('How packets get there.'),
  reason: text(256, 'Why.'),
})

const retainedDisk = z.object({
  id: text(32, 'Identity of the archive it belonged to.'),
  namespace: text(63, 'Namespace of that archive.'),
  name: text(63, 'Name of that archive.'),
  sizeMiB: mib('Size'),
})

const poolArchive = z.object({
  namespace: text(63, 'Namespace of the archive.'),
  name: text(63, 'Name of the archive.'),
  actualMiB: mib('Memory it has'),
  targetMiB: mib('Memory it is moving to'),
  weight: count('Its cpu.weight.'),
})

export const STATUS_SCHEMA = {
  Mesh: z.object({
    ...common,
    nodes: count('Nodes of the mesh.'),
    nodesReady: count('Nodes that are Ready.'),
    term: count('Counter of the reigns of the authority.'),
    revision: count('Highest revision given out.'),
  }),
  Node: z.object({
    ...common,
    address: text(15, 'Mesh address.').optional(),
    revisionStaged: count('Revision of the bundle the node holds ready.').optional(),
    revisionApplied: count('Revision of the bundle the node has applied.').optional(),
    agentVersion: text(63, 'Version of the agent.').optional(),
    bootId: text(32, 'Random id of the agent process.').optional(),
    lastHeard: z.iso
      .datetime()
      .max(64)
      .describe(
        'When it was last heard. While it is Connected, which means heard within a minute, it moves every two to four hours.',
      )
      .optional(),
    capacity: z
      .object({ memoryMiB: mib('Memory of the machine'), cpus: count('Processors of the machine.') })
      .describe('What the machine has.')
      .optional(),
    paths: z.array(peerPath).max(254).describe('Path to every other node.').optional(),
    retainedDisks: z.array(retainedDisk).max(1024).describe('Disks kept of archives that are gone.').optional(),
  }),
  Pairing: z.object({
    ...common,
    phase: z
      .enum(['Pending', 'Exchanged', 'AwaitingSAS', 'Approved', 'Denied', 'Expired', 'Burned'])
      .describe('How far the ceremony is; a terminal phase never changes.'),
  }),
  ResourcePool: z.object({
    ...common,
    physicalMiB: mib('Memory of the machine').optional(),
    reservedMiB: mib('Kept for the host').optional(),
    floorsMiB: mib('Sum of the floors').optional(),
    maximaMiB: mib('Sum of the maxima').optional(),
    reclaimableMiB: mib('Physical less reserved less floors').optional(),
    freeMiB: mib('Free on the machine').optional(),
    pressure: text(16, 'None, Low, High or Emergency.').optional(),
    vmOverheadMiB: mib('What a VM costs beside its guest, as measured; 128 is counted with until then').optional(),
    archives: z.array(poolArchive).max(255).describe('What each archive has.').optional(),
  }),
  Archive: z.object({
    ...common,
    phase: z
      .enum([
        'Pending',
        'Preparing',
        'Starting',
        'Running',
        'Suspended',
        'Stopping',
        'Archived',
        'Failed',
        'Deleting',
        'Unknown',
      ])
      .describe('Where in its life it is.'),
    nodeName: text(63, 'The node it lives on.').optional(),
    id: text(32, 'Its identity for life.').optional(),
    slot: count('Its number on the node.').optional(),
    fencingEpoch: count('Epoch under which it may run.').optional(),
    memoryActualMiB: mib('Memory it has').optional(),
    memoryTargetMiB: mib('Memory it is moving to').optional(),
    weight: count('cpu.weight in force.').optional(),
    restarts: count('Restarts by its node.').optional(),
    accelerator: z
      .enum(['KVM', 'TCG'])
      .describe('What runs its processors. TCG is QEMU without KVM: many times slower.')
      .optional(),
  }),
} satisfies { [K in Kind]: z.ZodType<StatusOf[K]> }

/** Of a status that no authority has written yet. Generations begin at 1. */
export const UNSEEN_GENERATION = 0

const unseen = { observedGeneration: UNSEEN_GENERATION, conditions: [] }

/**
 * What the API server shows before an authority has looked. Without it kstatus takes an object without conditions for
 * done, and whoever waits for it goes on at once.
 */
export const UNSEEN_STATUS: StatusOf = {
  Mesh: { ...unseen, nodes: 0, nodesReady: 0, term: 0, revision: 0 },
  Node: unseen,
  Pairing: { ...unseen, phase: 'Pending' },
  ResourcePool: unseen,
  Archive: { ...unseen, phase: 'Pending' },
}
