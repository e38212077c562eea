// Small plain objects for the suites of stores.

export type Plain = Record<string, unknown> & { metadata: Record<string, unknown>; spec: Record<string, unknown> }

const object = (kind: string, metadata: Record<string, unknown>, spec: Record<string, unknown>): Plain => ({
  apiVersion: 'ppn.dev/v1alpha1',
  kind,
  metadata,
  spec,
})

export const node = (name: string, spec: Record<string, unknown> = {}): Plain =>
  object('Node', { name }, { role: 'spoke', site: 'onprem', ...spec })

export const archive = (name: string, spec: Record<string, unknown> = {}, namespace = 'office'): Plain =>
  object(
    'Archive',
    { name, namespace },
    {
      nodeName: 'edge-1',
      image: { source: 'https://images.example/base.qcow2', sha256: 'ab'.repeat(32), format: 'qcow2' },
      memory: { floor: '256Mi', max: '1Gi' },
      ...spec,
    },
  )

export const pairing = (name: string, spec: Record<string, unknown> = {}): Plain =>
  object('Pairing', { name }, { nodeName: 'edge-9', rendezvous: 'AB12', code: 'ABCD-EFGH', ...spec })

export const withMeta = (plain: Plain, metadata: Record<string, unknown>): Plain => ({
  ...plain,
  metadata: { ...plain.metadata, ...metadata },
})
