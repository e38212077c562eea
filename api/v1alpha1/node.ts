import { z } from 'zod'
import type { Condition } from '../meta.ts'
import { dnsLabel, ipv4, publicKey } from './common.ts'

export const nodeIdentity = z.strictObject({
  wireguardPublicKey: publicKey,
  commandPublicKey: publicKey,
  signingPublicKey: publicKey,
})
export type NodeIdentity = z.output<typeof nodeIdentity>

export const nodeSpec = z.strictObject({
  mesh: dnsLabel.default('default'),
  role: z.enum(['hub', 'spoke']),
  site: z.enum(['cloud', 'onprem', 'leased']),
  address: ipv4.optional(),
  endpoint: z.string().max(261).optional(),
  isolated: z.boolean().default(false),
  allowedNamespaces: z.array(dnsLabel).max(64).optional(),
  identity: nodeIdentity.optional(),
})
export type NodeSpec = z.output<typeof nodeSpec>

export interface PeerPath {
  peer: string
  path: 'Direct' | 'Relayed' | 'Down'
  reason: string
}

export interface RetainedDisk {
  id: string
  namespace: string
  name: string
  sizeMiB: number
}

export interface NodeStatus {
  observedGeneration: number
  conditions: Condition[]
  address?: string
  revisionStaged?: number
  revisionApplied?: number
  agentVersion?: string
  bootId?: string
  /** RFC 3339; moves at most every 5 minutes. */
  lastHeard?: string
  capacity?: { memoryMiB: number; cpus: number }
  paths?: PeerPath[]
  retainedDisks?: RetainedDisk[]
}
