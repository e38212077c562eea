import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { deleteObject, writeObject } from './edit.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ppn-edit-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const node = (name: string, spec: object) => ({
  apiVersion: 'ppn.dev/v1alpha1',
  kind: 'Node',
  metadata: { name },
  spec,
})

test('an object that is declared is changed where it stands, with its comments and its neighbours', async () => {
  const file = join(folder, 'nodes.yaml')
  const text = `# all nodes
apiVersion: ppn.dev/v1alpha1
kind: Node
metadata:
  name: edge-1
spec:
  role: spoke
  site: cloud
---
# the second
apiVersion: ppn.dev/v1alpha1
kind: Node
metadata:
  name: edge-2
spec:
  role: spoke # for now
  site: leased
  isolated: true
`
  writeFileSync(file, text)
  const edit = await writeObject(
    folder,
    { kind: 'Node', name: 'edge-2' },
    node('edge-2', { role: 'spoke', site: 'onprem' }),
  )
  expect(edit).toEqual({ file, did: 'configured' })
  expect(readFileSync(file, 'utf8')).toBe(text.replace('site: leased\n  isolated: true', 'site: onprem'))
})

test('an object that nobody declares gets a file of its own, and an equal one changes nothing', async () => {
  const plain = node('edge-3', { role: 'spoke', site: 'cloud' })
  const made = await writeObject(folder, { kind: 'Node', name: 'edge-3' }, plain)
  expect(made).toEqual({ file: join(folder, 'nodes', 'edge-3.yaml'), did: 'created' })
  const before = readFileSync(made.file, 'utf8')
  expect((await writeObject(folder, { kind: 'Node', name: 'edge-3' }, plain)).did).toBe('unchanged')
  expect(readFileSync(made.file, 'utf8')).toBe(before)
})

test('deleting takes one document out, and the file with the last one', async () => {
  mkdirSync(join(folder, 'a'))
  const file = join(folder, 'a', 'n.yaml')
  writeFileSync(file, 'kind: Node\nmetadata: {name: x}\n---\n# keep me\nkind: Node\nmetadata: {name: y}\n')
  await deleteObject(folder, { kind: 'Node', name: 'x' })
  expect(readFileSync(file, 'utf8')).toContain('# keep me')
  expect(readFileSync(file, 'utf8')).not.toContain('name: x')
  await deleteObject(folder, { kind: 'Node', name: 'y' })
  expect(readdirSync(join(folder, 'a'))).toEqual([])
  expect(await deleteObject(folder, { kind: 'Node', name: 'y' })).toBeUndefined()
})

test('objects of one name in two namespaces are two', async () => {
  const file = join(folder, 'a.yaml')
  writeFileSync(file, 'kind: Archive\nmetadata: {name: x, namespace: one}\n---\nkind: Archive\nmetadata: {name: x}\n')
  await deleteObject(folder, { kind: 'Archive', name: 'x', namespace: 'default' })
  expect(readFileSync(file, 'utf8')).toContain('one')
})

test('an object inside a List is named, not written a second time, and not taken out', async () => {
  const file = join(folder, 'all.yaml')
  const text = JSON.stringify({
    apiVersion: 'v1',
    kind: 'List',
    items: [node('edge-1', { role: 'spoke', site: 'cloud' })],
  })
  writeFileSync(file, text)
  const edge = { kind: 'Node', name: 'edge-1' } as const
  await expect(writeObject(folder, edge, node('edge-1', { role: 'spoke', site: 'leased' }))).rejects.toThrow(
    'inside a List',
  )
  await expect(deleteObject(folder, edge)).rejects.toThrow('inside a List')
  expect(readdirSync(folder)).toEqual(['all.yaml'])
  expect(readFileSync(file, 'utf8')).toBe(text)
})
