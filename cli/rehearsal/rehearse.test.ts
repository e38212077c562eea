import { expect, test } from 'vitest'
import { API_VERSION } from '../../api/meta.ts'
import { parseObject } from '../../api/parse.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { rehearse } from './rehearse.ts'
import { consequenceLines, warningLines } from './report.ts'

const NOW = Date.UTC(2026, 5, 1)

function object(kind: string, name: string, spec: object, namespace?: string): AnyObject {
  const parsed = parseObject({
    apiVersion: API_VERSION,
    kind,
    metadata: { name, ...(namespace && { namespace }) },
    spec,
  })
  if (parsed.type !== 'object') throw new Error(JSON.stringify(parsed))
  const { draft } = parsed
  const metadata = {
    name,
    ...(namespace && { namespace }),
    uid: `uid-${name}`,
    generation: 1,
    resourceVersion: '1',
    creationTimestamp: new Date(NOW).toISOString(),
    finalizers: [],
    labels: {},
    annotations: {},
  }
  return { kind: draft.kind, metadata, spec: draft.spec } as AnyObject
}

const hub = object('Node', 'hub-1', { role: 'hub', site: 'cloud', endpoint: 'hub.example:51820' })
const spoke = (spec: object = {}) => object('Node', 'edge-1', { role: 'spoke', site: 'leased', ...spec })
const archive = (spec: object = {}) =>
  object(
    'Archive',
    'cluster-totebox-a-1',
    {
      nodeName: 'edge-1',
      image: { source: 'file:///a.raw', sha256: 'a'.repeat(64), format: 'raw', architecture: 'amd64' },
      memory: { floor: '256Mi', max: '1Gi' },
      ...spec,
    },
    'vault',
  )

const between = (objects: AnyObject[], declared: AnyObject[]) =>
  rehearse({ accepted: { objects, records: [] }, declared, nowMs: NOW, random: seededRandom(1) })

const SET = '<sequence: set at sending> <tag: set at sending>'

test('the same declaration has no consequence', async () => {
  const found = await between([hub, spoke(), archive()], [hub, spoke(), archive()])
  expect(consequenceLines(found)).toEqual([])
  expect(warningLines(found)).toEqual([])
})

test('isolating a node sends it one command and publishes nothing', async () => {
  expect(consequenceLines(await between([hub, spoke()], [hub, spoke({ isolated: true })]))).toEqual([
    `send     edge-1: ISOLATE\n         03 02 00 00 01 ${SET}`,
  ])
})

test('a new spoke changes the bundles of hubs alone; its archive is started once its definition is there', async () => {
  expect(consequenceLines(await between([hub], [hub, spoke(), archive()]))).toEqual([
    'address  edge-1: 10.8.0.2',
    'slot     vault/cluster-totebox-a-1: slot 1 of edge-1',
    'publish  edge-1: its first bundle',
    'publish  hub-1: bundle with changed peers +edge-1',
    `send     edge-1: POWER start (slot 1)\n         04 02 01 00 01 ${SET}`,
    `send     edge-1: WEIGHT 100 (slot 1)\n         06 02 01 00 64 ${SET}`,
  ])
})

test('a running archive that is declared Suspended is suspended; its figures go by bundle', async () => {
  const found = await between(
    [hub, spoke(), archive()],
    [hub, spoke(), archive({ runState: 'Suspended', memory: { floor: '512Mi', max: '1Gi' } })],
  )
  expect(consequenceLines(found)).toEqual([
    'publish  edge-1: bundle with changed archives ~vault/cluster-totebox-a-1',
    `send     edge-1: POWER suspend (slot 1)\n         04 02 01 00 03 ${SET}`,
  ])
})

test('the last object of a kind would be held, and nothing goes out', async () => {
  const found = await between([hub, spoke(), archive()], [hub, spoke()])
  expect(consequenceLines(found)).toEqual([])
  expect(warningLines(found)).toEqual([
    'held     Archive/vault/cluster-totebox-a-1  LastOfKind: no Archive would be left',
  ])
})

test('a node that goes is severed, and its hub drops the peer', async () => {
  expect(consequenceLines(await between([hub, spoke()], [hub]))).toEqual([
    'address  edge-1: 10.8.0.2 goes into quarantine',
    'publish  hub-1: bundle with changed peers -edge-1',
    'withdraw edge-1: no bundle',
    `send     edge-1: SEVER 1\n         08 02 00 00 01 ${SET}`,
  ])
})

test('a refusal is known beforehand', async () => {
  const found = await between([hub, spoke()], [hub, spoke({ address: '10.8.0.1' })])
  expect(warningLines(found).join('\n')).toMatch(/waits {4}node\.ppn\.dev\/edge-1 {2}Address/)
})

test('a changed immutable field is named as a problem', async () => {
  const found = await between(
    [hub, spoke(), archive()],
    [
      hub,
      spoke(),
      archive({ image: { source: 'file:///b.raw', sha256: 'b'.repeat(64), format: 'raw', architecture: 'amd64' } }),
    ],
  )
  expect(found.problems.map((p) => p.code)).toEqual(['ImmutableField'])
  expect(consequenceLines(found)).toEqual([])
})
