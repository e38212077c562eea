import { CHANNEL, FLAG } from './facts.ts'
import { type FactsOf, refusals, type Table } from './table.ts'

const domain = {
  paused: FLAG,
  deletion: ['none', 'held', 'nodesPresent', 'done'],
  accepted: ['yes', 'SecondMesh', 'CidrInUse', 'AuthorityNodeUnknown'],
  channel: CHANNEL,
  /** silent: those that are not Ready are Unknown; settling: at least one is known not to be. */
  nodes: ['none', 'ready', 'silent', 'settling'],
} as const
export type MeshFacts = FactsOf<typeof domain>

export const meshTable: Table<typeof domain> = {
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
      message: 'deletion is held: {hold}; to go on: ppn confirm mesh/{mesh}',
    },
    {
      when: { deletion: 'nodesPresent' },
      verdict: 'Stalled',
      reason: 'NodesPresent',
      message: 'deletion waits while these name it: {others}',
    },
    { when: { deletion: 'done' }, verdict: 'Reconciling', reason: 'Deleting', message: 'being deleted' },
    ...refusals<typeof domain, 'accepted'>('accepted', {
      SecondMesh: 'one authority serves one mesh in this version, and it serves {other}',
      CidrInUse: '{detail}',
      AuthorityNodeUnknown: 'spec.authorityNodes names {detail}, which is no Node of this mesh',
    }),
    {
      when: { channel: 'Superseded' },
      verdict: 'Stalled',
      reason: 'Superseded',
      message: 'nodes have heard a newer authority; this one sends nothing. See ppn restore',
    },
    {
      when: { nodes: 'ready' },
      verdict: 'Ready',
      reason: 'Converged',
      message: 'every node runs what is declared',
    },
    {
      when: { channel: 'Braked' },
      verdict: 'Stalled',
      reason: 'Braked',
      message: 'the brake is set: nothing is sent: {brake}',
    },
    {
      when: { nodes: 'none' },
      verdict: 'Unknown',
      reason: 'NoNodes',
      message: 'no Node names this mesh',
    },
    {
      when: { nodes: 'silent' },
      verdict: 'Unknown',
      reason: 'NodesUnknown',
      message: 'not known: {others}',
    },
    { when: {}, verdict: 'Reconciling', reason: 'NodesNotReady', message: 'not ready: {others}' },
  ],
}
