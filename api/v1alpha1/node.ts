import { z } from 'zod'
import type { Condition } from '../meta.ts'
import { cel, dnsLabel, endpoint, ipv4, NO_REPEATS, publicKey } from './common.ts'

export const nodeIdentity = z
  .strictObject({
    wireguardPublicKey: publicKey.describe('Curve25519 public key of the WireGuard interface, base64.'),
    commandPublicKey: publicKey.describe('X25519 public key from which command keys are derived, base64.'),
    signingPublicKey: publicKey.describe('Ed25519 public key that signs release records, base64.'),
  })
  .refine((i) => new Set([i.wireguardPublicKey, i.commandPublicKey, i.signingPublicKey]).size === 3, {
    error: 'the three keys must differ',
  })
  .meta(
    cel(
      'self.wireguardPublicKey != self.commandPublicKey && self.commandPublicKey != self.signingPublicKey && self.wireguardPublicKey != self.signingPublicKey',
      'the three keys must differ',
    ),
  )
export type NodeIdentity = z.output<typeof nodeIdentity>

export const nodeSpec = z
  .strictObject({
    mesh: dnsLabel.default('default').describe('Name of the Mesh this node belongs to.'),
    role: z.enum(['hub', 'spoke']).describe('A hub relays for the others and has an endpoint; a spoke dials hubs.'),
    site: z.enum(['cloud', 'onprem', 'leased']).describe('Where the machine stands.'),
    address: ipv4.optional().describe('Mesh address. Allocated for life when absent.'),
    endpoint: endpoint.optional().describe('host:port at which others reach it. Required for a hub.'),
    isolated: z.boolean().default(false).describe('Keep only the link to the authority.'),
    allowedNamespaces: z
      .array(dnsLabel)
      .max(64)
      .refine((names) => new Set(names).size === names.length, { error: 'must not name a namespace twice' })
      .meta(cel(NO_REPEATS, 'must not name a namespace twice'))
      .optional()
      .describe('Namespaces whose archives this node accepts. Absent: all.'),
    identity: nodeIdentity.optional().describe('Public keys of a node provisioned by hand.'),
  })
  .refine((n) => n.role !== 'hub' || n.endpoint !== undefined, {
    error: 'spec.endpoint is required for a hub',
    path: ['endpoint'],
  })
  .refine((n) => n.role !== 'hub' || !n.isolated, { error: 'a hub cannot be isolated', path: ['isolated'] })
  .meta(
    cel(
      "self.role != 'hub' || has(self.endpoint)",
      'spec.endpoint is required for a hub',
      "self.role != 'hub' || !self.isolated",
      'a hub cannot be isolated',
    ),
  )
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
  /** RFC 3339. Moves every two to four hours while the node is Connected; exact once it is silent. */
  lastHeard?: string
  capacity?: { memoryMiB: number; cpus: number }
  paths?: PeerPath[]
  retainedDisks?: RetainedDisk[]
}
