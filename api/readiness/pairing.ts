import { FLAG } from './facts.ts'
import type { FactsOf, Table } from './table.ts'

const domain = { paused: FLAG, deleting: FLAG } as const
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
      when: {},
      verdict: 'Stalled',
      reason: 'NotYetServed',
      message: 'this version serves no pairing ceremony; provision the node by hand (docs/security.md)',
    },
  ],
}
