import { z } from 'zod'
import type { Condition } from '../meta.ts'
import { cel, dnsLabel, meshCidr, NO_REPEATS } from './common.ts'

const port = (value: number, what: string) =>
  z.int().min(1).max(65535).default(value).describe(`${what} Default ${value}.`)

/** Do the bits below the prefix all stand at zero? */
function isNetwork(cidr: string): boolean {
  const [address = '', prefix = ''] = cidr.split('/')
  const last = Number(address.split('.')[3])
  return last % 2 ** (32 - Number(prefix)) === 0
}

const distinct = (values: readonly number[]) => new Set(values).size === values.length

const ports = z
  .strictObject({
    wireguard: port(51820, 'UDP port of the WireGuard interface.'),
    command: port(8090, 'UDP port on which agents take commands.'),
    telemetry: port(8091, 'TCP port on which the authority takes telemetry.'),
    sync: port(8092, 'TCP port on which agents take signed bundles and disks.'),
    pairing: port(9202, 'TCP port of the ceremony by which a node joins.'),
    holding: port(9443, 'TCP port on which an unclaimed node can be claimed.'),
  })
  .refine((p) => p.wireguard !== p.command && distinct([p.telemetry, p.sync, p.pairing, p.holding]), {
    error: 'ports of one protocol must differ',
  })
  .meta(
    cel(
      'self.wireguard != self.command && [self.telemetry, self.sync, self.pairing, self.holding].all(x, [self.telemetry, self.sync, self.pairing, self.holding].exists_one(y, x == y))',
      'ports of one protocol must differ',
    ),
  )

export const meshSpec = z.strictObject({
  cidr: meshCidr
    .refine(isNetwork, { error: 'must be a network address: the bits below the prefix are zero' })
    .meta(cel('cidr(self).masked() == cidr(self)', 'must be a network address: the bits below the prefix are zero'))
    .default('10.8.0.0/24')
    .describe('IPv4 network of the mesh, a /24 or smaller: the last octet is the target byte of a command.'),
  interface: z
    .string()
    .min(1)
    .max(15)
    .regex(/^[a-zA-Z0-9_=+.-]{1,15}$/)
    .default('ppn0')
    .describe('Name of the WireGuard interface on every node.'),
  mtu: z.int().min(1280).max(9000).default(1420).describe('MTU of the WireGuard interface, in bytes.'),
  keepaliveSeconds: z.int().min(1).max(120).default(25).describe('Persistent keepalive of every peer, in seconds.'),
  ports: ports.prefault({}).describe('Ports that ppn uses on every node.'),
  authorityNodes: z
    .array(dnsLabel)
    .min(1)
    .max(3)
    .refine((names) => new Set(names).size === names.length, { error: 'must not name a node twice' })
    .meta(cel(NO_REPEATS, 'must not name a node twice'))
    .optional()
    .describe('Nodes beside whose agents an authority runs, sending from their mesh address. Default: the hub.'),
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
