import { z } from 'zod'
import type { Condition } from '../meta.ts'
import { cel, dnsLabel } from './common.ts'

/** Crockford's base 32: digits and letters without I, L, O, U. */
const CROCKFORD = '[0-9A-HJKMNP-TV-Z]'

export const pairingSpec = z
  .strictObject({
    nodeName: dnsLabel.describe('The Node that joins.'),
    rendezvous: z
      .string()
      .length(4)
      .regex(new RegExp(`^${CROCKFORD}{4}$`))
      .describe('Four symbols shown by the joining node; they select this Pairing.'),
    code: z
      .string()
      .length(9)
      .regex(new RegExp(`^${CROCKFORD}{4}-${CROCKFORD}{4}$`))
      .optional()
      .describe('Eight symbols shown by the joining node, XXXX-XXXX. Worthless once used or expired.'),
    codeSecretRef: z
      .strictObject({
        name: dnsLabel.describe('Name of the Secret.'),
        key: z
          .string()
          .min(1)
          .max(253)
          .regex(/^[-._a-zA-Z0-9]+$/)
          .describe('Key within the Secret.'),
      })
      .optional()
      .describe('A Secret that holds the code, so that it does not stand here.'),
    sas: z
      .string()
      .length(6)
      .regex(/^[0-9]{6}$/)
      .optional()
      .describe('Six digits, typed from the screen of the joining node. Set once.'),
    replace: z
      .boolean()
      .optional()
      .describe('The machine takes the place of the one that has this name now, whose keys are worthless then.'),
    address: z
      .string()
      .min(1)
      .max(261)
      .regex(/^([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?$/)
      .optional()
      .describe('A claim: the authority calls the machine here, host or host:port, instead of being called.'),
    grant: z
      .string()
      .length(88)
      .regex(/^[A-Za-z0-9+/]{85}[AQgw]==$/)
      .optional()
      .describe(
        "The operator key's signature over this authority's signing key; some machines answer no claim without.",
      ),
    trustCode: z
      .boolean()
      .optional()
      .describe(
        'Of a claim: nobody compares digits at the authority, the code alone is trusted. The registry says so.',
      ),
    decision: z.enum(['Approve', 'Deny']).optional().describe('What the operator decided. Set once.'),
  })
  .refine((p) => (p.code === undefined) !== (p.codeSecretRef === undefined), {
    error: 'exactly one of code and codeSecretRef must be set',
    path: ['code'],
  })
  .refine((p) => p.address !== undefined || (p.grant === undefined && p.trustCode === undefined), {
    error: 'grant and trustCode are of a claim, which has an address',
    path: ['address'],
  })
  .meta(
    cel(
      'has(self.code) != has(self.codeSecretRef)',
      'exactly one of code and codeSecretRef must be set',
      'has(self.address) || (!has(self.grant) && !has(self.trustCode))',
      'grant and trustCode are of a claim, which has an address',
    ),
  )
export type PairingSpec = z.output<typeof pairingSpec>

export type PairingPhase = 'Pending' | 'Exchanged' | 'AwaitingSAS' | 'Approved' | 'Denied' | 'Expired' | 'Burned'

export interface PairingStatus {
  observedGeneration: number
  conditions: Condition[]
  phase: PairingPhase
}
