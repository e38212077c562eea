// One full and one minimal valid object of every kind: the ground that the cases below vary.
import { API_VERSION, type Kind } from '../../api/meta.ts'

export interface PlainObject {
  apiVersion: string
  kind: Kind
  metadata: { name: string; namespace?: string; [field: string]: unknown }
  spec: Record<string, unknown>
}

const key = (letter: string) => `${letter.repeat(42)}A=`

const NAME: Readonly<Record<Kind, string>> = {
  Mesh: 'default',
  Node: 'edge-2',
  Pairing: 'edge-2-joins',
  ResourcePool: 'edge-2',
  Archive: 'cluster-totebox-example-1',
}

const FULL: Readonly<Record<Kind, Record<string, unknown>>> = {
  Mesh: {
    cidr: '10.8.0.0/24',
    interface: 'ppn0',
    mtu: 1420,
    keepaliveSeconds: 25,
    ports: { wireguard: 51820, command: 8090, telemetry: 8091, sync: 8092, pairing: 9202, holding: 9443 },
    authorityNodes: ['relay'],
  },
  Node: {
    mesh: 'default',
    role: 'spoke',
    site: 'onprem',
    address: '10.8.0.2',
    endpoint: 'edge-2.example:51820',
    isolated: false,
    allowedNamespaces: ['default'],
    identity: { wireguardPublicKey: key('A'), commandPublicKey: key('B'), signingPublicKey: key('C') },
  },
  Pairing: {
    nodeName: 'edge-2',
    rendezvous: 'A7K2',
    code: '4XJ9-TQ0M',
    replace: false,
    address: 'edge-2.example:9443',
    grant: `${'A'.repeat(86)}==`,
    trustCode: false,
    sas: '012345',
    decision: 'Approve',
  },
  ResourcePool: {
    nodeName: 'edge-2',
    memory: {
      reservedForHost: '512Mi',
      overcommitPercent: 150,
      balloon: { policy: 'Auto', lowWatermarkPercent: 15, highWatermarkPercent: 30, emergencyPercent: 5 },
    },
    cpu: { reservedWeight: 100 },
  },
  Archive: {
    nodeName: 'edge-2',
    runState: 'Running',
    image: {
      source: 'https://images.example/totebox.qcow2',
      sha256: '0123456789abcdef'.repeat(4),
      format: 'qcow2',
      architecture: 'amd64',
    },
    adoptDisk: '0123456789abcdef'.repeat(2),
    memory: { floor: '256Mi', max: '1Gi', target: '512Mi' },
    cpu: { vcpus: 2, weight: 100 },
    restartPolicy: 'Always',
    relocation: 'Never',
    deletionPolicy: 'Retain',
  },
}

const MINIMAL: Readonly<Record<Kind, Record<string, unknown>>> = {
  Mesh: {},
  Node: { role: 'spoke', site: 'leased' },
  Pairing: { nodeName: 'edge-2', rendezvous: 'A7K2', codeSecretRef: { name: 'code', key: 'code' } },
  ResourcePool: { nodeName: 'edge-2' },
  Archive: {
    nodeName: 'edge-2',
    image: { source: 'file:///images/a.raw', sha256: 'f'.repeat(64), format: 'raw' },
    memory: { floor: '16Mi', max: '16Mi' },
  },
}

function object(kind: Kind, spec: Record<string, unknown>): PlainObject {
  const metadata = kind === 'Archive' ? { name: NAME[kind], namespace: 'default' } : { name: NAME[kind] }
  return { apiVersion: API_VERSION, kind, metadata, spec: structuredClone(spec) }
}

export const fullObject = (kind: Kind) => object(kind, FULL[kind])
export const minimalObject = (kind: Kind) => object(kind, MINIMAL[kind])

/** A copy of `object` with `value` at `path` (undefined: the field is removed). */
export function withField(source: PlainObject, path: readonly (string | number)[], value: unknown): PlainObject {
  const copy = structuredClone(source)
  let at = copy as unknown as Record<string | number, unknown>
  for (const step of path.slice(0, -1)) {
    at[step] ??= {}
    at = at[step] as Record<string | number, unknown>
  }
  const last = path.at(-1) as string | number
  if (value === undefined) delete at[last]
  else at[last] = value
  return copy
}
