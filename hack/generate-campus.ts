// The `campus` example: two hubs, 58 spokes in eight buildings, 200 archives. Written out, so that a person can
// read and edit it; made by a program, so that nobody has to type it.
import { createHash } from 'node:crypto'
import { stringify } from 'yaml'
import { API_VERSION } from '../api/meta.ts'

const SPOKES = 58
const ARCHIVES = 200
const BUILDINGS = ['arts', 'chemistry', 'history', 'law', 'library', 'medicine', 'music', 'physics']

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const building = (i: number) => BUILDINGS[i % BUILDINGS.length] as string
const spokeName = (i: number) => `${building(i)}-${Math.floor(i / BUILDINGS.length) + 1}`

const hub = (n: number) => ({
  apiVersion: API_VERSION,
  kind: 'Node',
  metadata: { name: `hub-${n}` },
  spec: { role: 'hub', site: 'cloud', endpoint: `hub-${n}.campus.example:51820` },
})

const spoke = (i: number) => ({
  apiVersion: API_VERSION,
  kind: 'Node',
  metadata: { name: spokeName(i), labels: { building: building(i) } },
  spec: { role: 'spoke', site: 'onprem' },
})

const pool = (i: number) => ({
  apiVersion: API_VERSION,
  kind: 'ResourcePool',
  metadata: { name: spokeName(i) },
  spec: { nodeName: spokeName(i), memory: { reservedForHost: '512Mi', overcommitPercent: 150 } },
})

/** An archive lives on a machine of its own building; these take turns. */
function hostOf(i: number): string {
  const b = i % BUILDINGS.length
  const machines = Math.ceil((SPOKES - b) / BUILDINGS.length)
  return spokeName(b + BUILDINGS.length * (Math.floor(i / BUILDINGS.length) % machines))
}

const archive = (i: number) => {
  const source = `https://images.campus.example/totebox-${building(i)}.qcow2`
  return {
    apiVersion: API_VERSION,
    kind: 'Archive',
    metadata: {
      name: `cluster-totebox-${building(i)}-${Math.floor(i / BUILDINGS.length) + 1}`,
      namespace: building(i),
      labels: { building: building(i) },
    },
    spec: {
      nodeName: hostOf(i),
      // One in ten sleeps, one in twenty is put away: a fleet is never all of one kind.
      runState: i % 20 === 19 ? 'Archived' : i % 10 === 9 ? 'Suspended' : 'Running',
      image: { source, sha256: sha256(source), format: 'qcow2' },
      memory: { floor: '256Mi', max: '512Mi' },
      cpu: { weight: 100 * (1 + (i % 3)) },
    },
  }
}

const documents = (note: string, objects: readonly object[]) =>
  `# ${note} Made by hack/generate-campus.ts.\n${objects.map((o) => stringify(o)).join('---\n')}`
const range = (n: number) => Array.from({ length: n }, (_, i) => i)

/** Path -> content of every file of the example. */
export function generateCampus(): Map<string, string> {
  const files = new Map<string, string>()
  files.set('examples/campus/hubs.yaml', documents('Two hubs: spokes try them in this order.', [hub(1), hub(2)]))
  for (const [b, name] of BUILDINGS.entries()) {
    const mine = (n: number) => range(n).filter((i) => i % BUILDINGS.length === b)
    files.set(`examples/campus/${name}/nodes.yaml`, documents(`Machines of ${name}.`, mine(SPOKES).map(spoke)))
    files.set(`examples/campus/${name}/pools.yaml`, documents(`Pools of ${name}.`, mine(SPOKES).map(pool)))
    files.set(`examples/campus/${name}/archives.yaml`, documents(`Archives of ${name}.`, mine(ARCHIVES).map(archive)))
  }
  return files
}
