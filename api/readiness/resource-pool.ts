import { BUNDLE_STAGES, bundleNotApplied, CHANNEL, FLAG, LIVENESS, unseen } from './facts.ts'
import { type FactsOf, refusals, type Table } from './table.ts'

const domain = {
  paused: FLAG,
  deletion: ['none', 'held', 'withdrawing'],
  accepted: ['yes', 'NodeUnknown', 'NodeNotAccepted', 'NameDiffers', 'WatermarksInvalid', 'MemoryInvalid'],
  channel: CHANNEL,
  liveness: LIVENESS,
  bundle: BUNDLE_STAGES,
  /** The node's applied bundle holds the policy of this generation. */
  applied: FLAG,
  /** What was admitted no longer fits. */
  overcommitted: FLAG,
} as const
export type ResourcePoolFacts = FactsOf<typeof domain>

export const resourcePoolTable: Table<typeof domain> = {
  domain,
  rows: [
    {
      when: { paused: true },
      verdict: 'Unknown',
      reason: 'Paused',
      message: 'left alone: annotation ppn.dev/paused is set',
    },
    {
      when: { deletion: 'held' },
      verdict: 'Stalled',
      reason: 'DeletionHeld',
      message: 'deletion is held: {hold}; to go on: ppn confirm resourcepool/{node}',
    },
    {
      when: { deletion: 'withdrawing' },
      verdict: 'Reconciling',
      reason: 'DefaultsReturn',
      message: 'the defaults return to node {node}',
    },
    ...refusals<typeof domain, 'accepted'>('accepted', {
      NodeUnknown: 'there is no Node {node}',
      NodeNotAccepted: 'Node {node} is not accepted: {detail}',
      NameDiffers: 'metadata.name must equal spec.nodeName ({node})',
      WatermarksInvalid: '{detail}',
      MemoryInvalid: '{detail}',
    }),
    ...unseen(),
    ...bundleNotApplied('applied'),
    {
      when: { applied: true, overcommitted: true },
      verdict: 'Stalled',
      reason: 'Overcommitted',
      message: 'what was admitted no longer fits: {detail}',
    },
    {
      when: { applied: true },
      verdict: 'Ready',
      reason: 'Applied',
      message: 'the node runs this policy',
    },
    {
      when: { channel: 'Braked' },
      verdict: 'Stalled',
      reason: 'Braked',
      message: 'the brake is set: nothing is sent',
    },
    { when: {}, verdict: 'Reconciling', reason: 'BundlePending', message: 'the policy is on its way' },
  ],
}
