import { expect, test } from 'vitest'
import type { NodeStatus } from '../../../api/v1alpha1/node.ts'
import { node } from './documents.ts'
import { documentTest, heard, type MakeSubject, type SourceKind } from './subject.ts'

const status = (observedGeneration: number): NodeStatus => ({ observedGeneration, conditions: [] })

/** What is told, when, and in which order. */
export function listening(make: MakeSubject, source: SourceKind): void {
  const ofDocuments = documentTest(source)
  test('the first reading announces every object once, then that it is whole', async () => {
    const s = await make()
    await s.declare('a', [node('edge-2'), node('edge-1')])
    const lines = heard(s.store())
    expect(s.store().health().synced).toBe(false)
    expect(await s.start()).toBe(true)
    expect(lines.filter((line) => line !== 'health').sort()).toEqual([
      'synced',
      'upsert Node/edge-1',
      'upsert Node/edge-2',
    ])
    expect(lines.indexOf('synced')).toBeGreaterThan(lines.lastIndexOf('upsert Node/edge-1'))
    expect(s.store().health().synced).toBe(true)
  })

  ofDocuments('a snapshot is in as a whole before anybody hears of a part of it', async () => {
    const s = await make()
    await s.start()
    const seen: number[] = []
    s.store().subscribe((event) => {
      if (event.type === 'upsert') seen.push(s.store().list('Node').length)
    })
    await s.declare('a', [node('edge-1'), node('edge-2'), node('edge-3')])
    expect(seen).toEqual([3, 3, 3])
  })

  test('nothing is told when nothing changed', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.start()
    const edge = s.store().get('Node', 'edge-1')!
    await s.store().updateStatus(edge, status(1))
    const lines = heard(s.store())
    await s.declare('a', [node('edge-1')])
    await s.store().updateStatus(edge, status(1))
    expect(lines).toEqual([])
  })

  test('a status is replaced and told; it moves no generation', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.start()
    const before = s.store().get('Node', 'edge-1')!
    const lines = heard(s.store())
    await s.store().updateStatus(before, status(1))
    await s.store().updateStatus(before, status(2))
    const after = s.store().get('Node', 'edge-1')!
    expect(after.status).toEqual(status(2))
    expect(after.metadata.generation).toBe(1)
    expect(after.metadata.resourceVersion).not.toBe(before.metadata.resourceVersion)
    expect(lines).toEqual(['upsert Node/edge-1', 'upsert Node/edge-1'])
  })

  test('a status for an object that is gone, or is another one by now, is dropped', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.start()
    const old = s.store().get('Node', 'edge-1')!
    await s.drop('a')
    await s.store().updateStatus(old, status(1))
    expect(s.store().get('Node', 'edge-1')).toBeUndefined()
    await s.declare('a', [node('edge-1')])
    await s.store().updateStatus(old, status(1))
    expect(s.store().get('Node', 'edge-1')?.status).toBeUndefined()
  })

  test('a change of the spec keeps the status', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.start()
    await s.store().updateStatus(s.store().get('Node', 'edge-1')!, status(1))
    await s.declare('a', [node('edge-1', { isolated: true })])
    expect(s.store().get('Node', 'edge-1')).toMatchObject({ status: status(1), spec: { isolated: true } })
  })

  ofDocuments('what a listener causes comes after what it was told, for every listener', async () => {
    const s = await make()
    await s.start()
    s.store().subscribe((event) => {
      if (event.type !== 'upsert' || event.object.kind !== 'Node' || event.object.status) return
      void s.store().updateStatus(event.object, status(1))
    })
    const seen: string[] = []
    s.store().subscribe((event) => {
      if (event.type === 'upsert')
        seen.push(`${event.key} ${(event.object.status as NodeStatus)?.observedGeneration ?? 0}`)
    })
    await s.declare('a', [node('edge-1'), node('edge-2')])
    expect(seen).toEqual(['Node/edge-1 0', 'Node/edge-2 0', 'Node/edge-1 1', 'Node/edge-2 1'])
  })

  test('a listener that throws harms no other, and one that left hears nothing', async () => {
    const s = await make()
    await s.start()
    s.store().subscribe(() => {
      throw new Error('a listener’s own fault')
    })
    const left: string[] = []
    s.store().subscribe((event) => left.push(event.type))()
    const lines = heard(s.store())
    await s.declare('a', [node('edge-1')])
    expect(lines).toEqual(['upsert Node/edge-1'])
    expect(left).toEqual([])
  })

  ofDocuments('a change of health is told once', async () => {
    const s = await make()
    await s.start()
    const lines = heard(s.store())
    await s.declare('a', [node('edge-1', { role: 'king' })])
    await s.declare('b', [])
    expect(lines).toEqual(['health'])
  })
}
