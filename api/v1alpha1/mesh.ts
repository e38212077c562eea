import { z } from 'zod'
import type { Condition } from '../meta.ts'
import { dnsLabel } from './common.ts'

const port = z.int().min(1).max(65535)

export const meshSpec = z.strictObject({
  cidr: z.string().max(18).default('10.8.0.0/24'),
  interface: z.string().min(1).max(15).default('ppn0'),
  mtu: z.int().min(1280).max(9000).default(1420),
  keepaliveSeconds: z.int().min(1).max(120).default(25),
  ports: z
    .strictObject({
      wireguard: port.default(51820),
      command: port.default(8090),
      telemetry: port.default(8091),
      sync: port.default(8092),
      pairing: port.default(9202),
      holding: port.default(9443),
    })
    .prefault({}),
  authorityNodes: z.array(dnsLabel).min(1).max(3).optional(),
})
export type MeshSpec = z.output<typeof meshSpec>

export interface MeshStatus {
  observedGeneration: number
  conditions: Condition[]
  nodes: number
  nodesReady: number
  term: number
  /** Highest mesh-wide revision given out. */
  revision: number
}
