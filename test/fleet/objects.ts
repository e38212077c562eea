// Small declarations for fleet tests.
import { createHash } from 'node:crypto'
import { API_VERSION } from '../../api/meta.ts'

const object = (kind: string, name: string, spec: object, extra: object = {}) => ({
  apiVersion: API_VERSION,
  kind,
  metadata: { name, ...extra },
  spec,
})

export const hub = (name: string, spec: object = {}) =>
  object('Node', name, { role: 'hub', site: 'cloud', endpoint: `${name}.example:51820`, ...spec })

export const spoke = (name: string, spec: object = {}) =>
  object('Node', name, { role: 'spoke', site: 'onprem', ...spec })

export const pool = (name: string, memory: object = {}) => object('ResourcePool', name, { nodeName: name, memory })

export const archive = (n: number, nodeName: string, spec: object = {}) => {
  const source = `https://images.example/${n}.qcow2`
  return object(
    'Archive',
    `cluster-totebox-test-${n}`,
    {
      nodeName,
      image: { source, sha256: createHash('sha256').update(source).digest('hex'), format: 'qcow2' },
      memory: { floor: '256Mi', max: '512Mi' },
      ...spec,
    },
    { namespace: 'default' },
  )
}

/** A hub, two spokes, a pool and three archives: running, suspended, put away. */
export const office = () => [
  hub('relay'),
  spoke('edge-1'),
  spoke('edge-2'),
  pool('edge-1'),
  archive(1, 'edge-1'),
  archive(2, 'edge-1', { runState: 'Suspended' }),
  archive(3, 'edge-2', { runState: 'Archived' }),
]
