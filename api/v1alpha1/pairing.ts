import { z } from 'zod'
import type { Condition } from '../meta.ts'
import { dnsLabel } from './common.ts'

export const pairingSpec = z.strictObject({
  nodeName: dnsLabel,
  rendezvous: z.string().length(4),
  code: z.string().length(9).optional(),
  codeSecretRef: z.strictObject({ name: dnsLabel, key: z.string().min(1).max(253) }).optional(),
  sas: z.string().length(6).optional(),
  decision: z.enum(['Approve', 'Deny']).optional(),
})
export type PairingSpec = z.output<typeof pairingSpec>

export type PairingPhase = 'Pending' | 'Exchanged' | 'AwaitingSAS' | 'Approved' | 'Denied' | 'Expired' | 'Burned'

export interface PairingStatus {
  observedGeneration: number
  conditions: Condition[]
  phase: PairingPhase
}
