import { expect, test } from 'vitest'
import type { Io } from '../io.ts'
import { readDocuments } from './documents.ts'

const LIST = `apiVersion: v1
kind: List
items:
  - apiVersion: ppn.dev/v1alpha1
    kind: Node
    metadata: { name: relay }
    spec: { role: hub, site: cloud, endpoint: "relay.example:51820" }
  - apiVersion: v1
    kind: ConfigMap
    metadata: { name: other }
  - apiVersion: ppn.dev/v1alpha1
    kind: Node
    metadata: { name: edge-1 }
    spec: { role: spoke, site: cloud }
`

test('what kubectl prints as a List is read as its objects; foreign ones are passed over', async () => {
  const io = { cwd: '/', read: async () => LIST } as unknown as Io
  const found = await readDocuments(io, ['-'])
  expect(found.map(({ draft }) => draft.key)).toEqual(['Node/relay', 'Node/edge-1'])
  expect(found[1]?.text).toMatch(/^apiVersion: ppn.dev/)
})
