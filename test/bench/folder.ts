// The folder of YAML that a benchmark's fleet is declared in: one file an object, as a person would have it.
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { stringify } from 'yaml'
import { API_VERSION, type Kind } from '../../api/meta.ts'

export interface FleetShape {
  /** At most 254. */
  nodes: number
  archives: number
  pools?: boolean
  /** Second octet of the mesh 10.x.0.0/24, so that no other test stands in the way. */
  octet: number
  /** All objects of a node in one file; default: one file an object. */
  filePerNode?: boolean
}

export interface DeclaredNode {
  name: string
  address: string
  endpoint?: string
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const named = (kind: string, name: string, spec: object, namespace?: string) => ({
  apiVersion: API_VERSION,
  kind,
  metadata: { name, ...(namespace !== undefined && { namespace }) },
  spec,
})

export function declaredNodes({ nodes, octet }: FleetShape): DeclaredNode[] {
  return Array.from({ length: nodes }, (_, i) => ({
    name: i === 0 ? 'hub-1' : `edge-${i}`,
    address: `10.${octet}.0.${i + 1}`,
    ...(i === 0 && { endpoint: 'hub-1.bench.example:51820' }),
  }))
}

export const archiveName = (i: number): string => `cluster-totebox-bench-${i + 1}`
export const archiveFile = (i: number): string => `archives/${archiveName(i)}.yaml`

export function meshObject({ octet }: FleetShape, { mtu = 1420 } = {}): object {
  return named('Mesh', 'default', { cidr: `10.${octet}.0.0/24`, mtu })
}

const nodeObject = ({ name, address, endpoint }: DeclaredNode) =>
  named('Node', name, {
    role: endpoint === undefined ? 'spoke' : 'hub',
    site: endpoint === undefined ? 'onprem' : 'cloud',
    address,
    ...(endpoint !== undefined && { endpoint }),
  })

const poolObject = ({ name }: DeclaredNode) =>
  named('ResourcePool', name, { nodeName: name, memory: { reservedForHost: '512Mi', overcommitPercent: 200 } })

/** Mesh and nodes, as they are sent to an API server. */
export const nodeObjects = (shape: FleetShape): { kind: Kind; object: object }[] => [
  { kind: 'Mesh', object: meshObject(shape) },
  ...declaredNodes(shape).map((node) => ({ kind: 'Node' as const, object: nodeObject(node) })),
]

/** Archive `i` lives on node `i mod nodes`. */
export function archiveObject(shape: FleetShape, i: number, weight = 100): object {
  const source = 'https://images.bench.example/totebox.qcow2'
  const host = declaredNodes(shape)[i % shape.nodes] as DeclaredNode
  const spec = {
    nodeName: host.name,
    runState: 'Running',
    image: { source, sha256: sha256(source), format: 'qcow2' },
    memory: { floor: '256Mi', max: '512Mi' },
    cpu: { weight },
  }
  return named('Archive', archiveName(i), spec, 'bench')
}

export async function writeObjects(file: string, ...objects: object[]): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(file, objects.map((o) => stringify(o)).join('---\n'))
}

/** Writes the whole folder; returns how many objects it declares. */
export async function writeFleet(root: string, shape: FleetShape): Promise<number> {
  const nodes = declaredNodes(shape)
  const files = new Map<string, object[]>([['mesh.yaml', [meshObject(shape)]]])
  const add = (file: string, node: DeclaredNode, object: object) => {
    const place = shape.filePerNode ? `${node.name}.yaml` : file
    files.set(place, [...(files.get(place) ?? []), object])
  }
  for (const node of nodes) {
    add(`nodes/${node.name}.yaml`, node, nodeObject(node))
    if (shape.pools) add(`pools/${node.name}.yaml`, node, poolObject(node))
  }
  for (let i = 0; i < shape.archives; i++)
    add(archiveFile(i), nodes[i % nodes.length] as DeclaredNode, archiveObject(shape, i))
  for (const [file, objects] of files) await writeObjects(path.join(root, file), ...objects)
  return [...files.values()].reduce((sum, objects) => sum + objects.length, 0)
}
