import { FLAG } from './facts.ts'
import type { FactsOf, Table } from './table.ts'

const domain = {
  paused: FLAG,
  deleting: FLAG,
  /** What keeps the ceremony from being open at all. */
  obstacle: ['none', 'SecretNeedsCluster', 'SecretUnreadable', 'NotServed', 'RendezvousTaken'],
  stage: [
    'Pending',
    'Calling',
    'Exchanged',
    'AwaitDigits',
    'AwaitDecision',
    'AwaitNode',
    'AwaitMachine',
    'NodeMissing',
    'Approved',
    'Denied',
    'Expired',
    'Burned',
  ],
} as const
export type PairingFacts = FactsOf<typeof domain>

export const pairingTable: Table<typeof domain> = {
  domain,
  rows: [
    {
      when: { paused: true },
      verdict: 'Unknown',
      reason: 'Paused',
      message: 'left alone: annotation ppn.dev/paused is set',
    },
    { when: { deleting: true }, verdict: 'Reconciling', reason: 'Deleting', message: 'being deleted' },
    {
      when: { stage: 'Approved' },
      verdict: 'Ready',
      reason: 'Approved',
      message: 'node {node} is enrolled; this Pairing goes by itself within the hour',
    },
    { when: { stage: 'Denied' }, verdict: 'Stalled', reason: 'Denied', message: 'nobody joined: {why}' },
    {
      when: { stage: 'Expired' },
      verdict: 'Stalled',
      reason: 'Expired',
      message: 'nobody joined within 10 minutes; the code is worthless now',
    },
    {
      when: { stage: 'Burned' },
      verdict: 'Stalled',
      reason: 'Burned',
      message: 'five tries with another code: was it typed as the machine shows it? This one is worthless now',
    },
    {
      when: { obstacle: 'SecretNeedsCluster' },
      verdict: 'Stalled',
      reason: 'SecretNeedsCluster',
      message: 'codeSecretRef names a Secret, which only a cluster has; give the code itself',
    },
    {
      when: { obstacle: 'SecretUnreadable' },
      verdict: 'Stalled',
      reason: 'SecretUnreadable',
      message: 'the code of codeSecretRef cannot be read: {secret}',
    },
    {
      when: { obstacle: 'NotServed' },
      verdict: 'Stalled',
      reason: 'NotServed',
      message: 'no machine can call: {unavailable}',
    },
    {
      when: { obstacle: 'RendezvousTaken' },
      verdict: 'Stalled',
      reason: 'RendezvousTaken',
      message: 'another open Pairing has rendezvous {rendezvous}; delete it, or run ppn join again for another one',
    },
    {
      when: { stage: 'Pending' },
      verdict: 'Reconciling',
      reason: 'Pending',
      message: 'waiting for the machine that shows {rendezvous}; tries with another code: {failures} of 5',
    },
    {
      when: { stage: 'Calling' },
      verdict: 'Reconciling',
      reason: 'Calling',
      message: 'claims the machine at {address}: {calling}',
    },
    {
      when: { stage: 'Exchanged' },
      verdict: 'Reconciling',
      reason: 'Exchanged',
      message: 'a machine has shown that it knows the code',
    },
    {
      when: { stage: 'AwaitDigits' },
      verdict: 'Reconciling',
      reason: 'AwaitingSAS',
      message: '{hostname} at {from} waits: type the six digits of its screen as sas',
    },
    {
      when: { stage: 'AwaitMachine' },
      verdict: 'Reconciling',
      reason: 'AwaitingMachine',
      message: 'the digits are the same; the machine has hung up and will call again',
    },
    {
      when: { stage: 'AwaitDecision' },
      verdict: 'Reconciling',
      reason: 'AwaitingDecision',
      message: 'the digits are the same; decide: Approve or Deny',
    },
    {
      when: { stage: 'AwaitNode' },
      verdict: 'Reconciling',
      reason: 'AwaitingNode',
      message: 'approved; the person at {hostname} has still to confirm that the digits are the same',
    },
    {
      when: { stage: 'NodeMissing' },
      verdict: 'Reconciling',
      reason: 'NodeMissing',
      message: 'approved; there is no Node {node}: declare it',
    },
  ],
}
