// What a lab needs to know of a declared fleet, and the copy of its folder that the lab's authority reads. The
// folder itself belongs to the person and is never written.
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { PpnObject } from '../../api/v1alpha1/index.ts'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import type { Clock } from '../../base/clock.ts'
import { validateFolder } from '../../stores/files/validate.ts'
import type { TopologyInput } from './topology.ts'

export interface DeclaredNode {
  name: string
  role: 'hub' | 'spoke'
  site: 'cloud' | 'onprem' | 'leased'
  endpoint?: { host: string; port: string }
}

export interface DeclaredFleet {
  /** In the order of names. */
  nodes: DeclaredNode[]
  /** Beside whose agent the authority runs. */
  authorityNode: string
  interface: string
}

/** Throws with every fault of the folder, one a line. */
export async function declaredFleet(folder: string, clock: Clock): Promise<DeclaredFleet> {
  const { objects, problems } = await validateFolder(folder, clock)
  const errors = problems.filter((p) => p.severity === 'error')
  if (errors.length > 0) throw new Error(errors.map((p) => `${p.file}:${p.line}: ${p.message}`).join('\n'))
  const nodes = objects
    .filter((o): o is PpnObject<'Node'> => o.kind === 'Node')
    .map(({ metadata, spec }): DeclaredNode => {
      const [, host, port] = /^(.*):([0-9]+)$/.exec(spec.endpoint ?? '') ?? []
      const endpoint = host !== undefined && port !== undefined ? { endpoint: { host, port } } : {}
      return { name: metadata.name, role: spec.role, site: spec.site, ...endpoint }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  const mesh = objects.find((o): o is PpnObject<'Mesh'> => o.kind === 'Mesh')
  const authorityNode = mesh?.spec.authorityNodes?.[0] ?? nodes.find((n) => n.role === 'hub')?.name
  if (authorityNode === undefined) throw new Error(`${folder} declares no hub: there is no place for the authority`)
  return { nodes, authorityNode, interface: mesh?.spec.interface ?? 'ppn0' }
}

const INTERNET = 'internet'

/**
 * The networks a fleet asks for: machines in the cloud have public addresses, every other one a router with NAT. IPv6 is
 * there as well, from the range for examples (RFC 3849), routed and closed from outside.
 */
export function topologyFor(nodes: readonly DeclaredNode[]): TopologyInput {
  const isPublic = (n: DeclaredNode) => n.site === 'cloud' || n.endpoint !== undefined
  const behind = nodes.filter((n) => !isPublic(n))
  const lan = (n: DeclaredNode) => `${n.name}-lan`
  const names = ({ endpoint }: DeclaredNode) => (endpoint && !isIPv4(endpoint.host) ? { names: [endpoint.host] } : {})
  return {
    segments: {
      [INTERNET]: { cidr: '198.51.100.0/24', cidr6: '2001:db8::/64' },
      ...Object.fromEntries(
        behind.map((n, i) => [lan(n), { cidr: `192.168.${i + 1}.0/24`, cidr6: `2001:db8:${i + 1}::/64` }]),
      ),
    },
    hosts: Object.fromEntries(nodes.map((n) => [n.name, { segment: isPublic(n) ? INTERNET : lan(n), ...names(n) }])),
    routers: Object.fromEntries(behind.map((n) => [`${n.name}-router`, { inside: lan(n), outside: INTERNET }])),
  }
}

/**
 * Copies the folder and writes identities into its Nodes. An endpoint by name is left: the lab's hosts resolve it; one
 * by address gets the host's address in the lab, from `addressOf`.
 */
export function copyFleet(options: {
  from: string
  to: string
  identities: ReadonlyMap<string, NodeIdentity>
  addressOf(node: string): string
}): void {
  cpSync(options.from, options.to, { recursive: true })
  for (const entry of readdirSync(options.to, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.ya?ml$/.test(entry.name)) continue
    const file = join(entry.parentPath, entry.name)
    writeFileSync(file, withIdentities(readFileSync(file, 'utf8'), options.identities, options.addressOf))
  }
}

/** Pure. Comments stay. */
export function withIdentities(
  text: string,
  identities: ReadonlyMap<string, NodeIdentity>,
  addressOf: (node: string) => string,
): string {
  const documents = parseAllDocuments(text)
  if (!Array.isArray(documents)) return text
  for (const document of documents) {
    if (document.get('kind') !== 'Node') continue
    const name = String(document.getIn(['metadata', 'name']))
    const identity = identities.get(name)
    if (identity) document.setIn(['spec', 'identity'], identity)
    const [, host, port] = /^(.*):([0-9]+)$/.exec(String(document.getIn(['spec', 'endpoint']) ?? '')) ?? []
    if (host !== undefined && isIPv4(host)) document.setIn(['spec', 'endpoint'], `${addressOf(name)}:${port}`)
  }
  return documents.map(String).join('')
}
