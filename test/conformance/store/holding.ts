import { expect, test } from 'vitest'
import { archive, node, pairing } from './documents.ts'
import { documentTest, type MakeSubject, type SourceKind } from './subject.ts'

const NAME = 'cluster-totebox-a-1'
const image = (sha: string) => ({
  source: 'https://images.example/base.qcow2',
  sha256: sha.repeat(32),
  format: 'qcow2',
})

/** Law 3, and what happens to a source that is wrong in part. */
export function holding(make: MakeSubject, source: SourceKind): void {
  const ofDocuments = documentTest(source)
  test('an unreadable source holds everything and says why', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.start()
    await s.setUnreadable(true)
    await s.drop('a')
    expect(s.store().list('Node')).toHaveLength(1)
    expect(s.store().health().unreadable).toEqual(expect.any(String))
    await s.setUnreadable(false)
    expect(s.store().list('Node')).toEqual([])
    expect(s.store().health().unreadable).toBeUndefined()
  })

  ofDocuments('what can be read again and says the same is no longer called unreadable', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1', { sitee: 1 })])
    await s.start()
    const { problems } = s.store().health()
    await s.setUnreadable(true)
    await s.setUnreadable(false)
    expect(s.store().health()).toMatchObject({ synced: true, problems })
    expect(s.store().health().unreadable).toBeUndefined()
  })

  ofDocuments('a bad document holds its own object at the last good state; the others of its place count', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1'), node('edge-2')])
    await s.start()
    const before = s.store().get('Node', 'edge-1')
    await s.declare('a', [node('edge-1', { role: 'king' }), node('edge-2', { isolated: true }), node('edge-3')])
    expect(s.store().get('Node', 'edge-1')).toEqual(before)
    expect(s.store().get('Node', 'edge-2')?.spec.isolated).toBe(true)
    expect(s.store().get('Node', 'edge-3')).toBeDefined()
    expect(s.store().health().problems).toMatchObject([{ code: 'InvalidValue', key: 'Node/edge-1', severity: 'error' }])
    await s.declare('a', [node('edge-1', { role: 'hub', endpoint: 'hub.example:51820' }), node('edge-2')])
    expect(s.store().get('Node', 'edge-1')?.spec.role).toBe('hub')
    expect(s.store().health().problems).toEqual([])
  })

  ofDocuments('a place that cannot be read holds all its objects; others may change, and none goes', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1'), node('edge-2')])
    await s.declare('b', [node('edge-3')])
    await s.declare('c', [node('edge-4')])
    await s.start()
    await s.garble('a')
    await s.declare('b', [node('edge-3', { isolated: true }), node('edge-5')])
    await s.drop('c')
    expect(
      s
        .store()
        .list('Node')
        .map(({ metadata }) => metadata.name),
    ).toEqual(['edge-1', 'edge-2', 'edge-3', 'edge-4', 'edge-5'])
    expect(s.store().get('Node', 'edge-3')?.spec.isolated).toBe(true)
    // edge-4 might have moved into the place that nobody can read.
    const { problems } = s.store().health()
    expect(problems.find(({ code }) => code === 'RemovalHeld')).toMatchObject({ key: 'Node/edge-4' })
    await s.declare('a', [node('edge-1')])
    expect(
      s
        .store()
        .list('Node')
        .map(({ metadata }) => metadata.name),
    ).toEqual(['edge-1', 'edge-3', 'edge-5'])
  })

  ofDocuments('a document without a readable name holds what its place last defined', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1'), node('edge-2')])
    await s.start()
    await s.declare('a', [node('edge-1'), { ...node('edge-2'), metadata: {} }])
    expect(s.store().get('Node', 'edge-2')?.metadata.deletionTimestamp).toBeUndefined()
    expect(s.store().list('Node')).toHaveLength(2)
  })

  ofDocuments('an object of an unreadable place is not taken over by another place', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.start()
    await s.garble('a')
    await s.declare('b', [node('edge-1', { isolated: true })])
    expect(s.store().get('Node', 'edge-1')?.spec.isolated).toBe(false)
    expect(
      s
        .store()
        .health()
        .problems.map(({ code }) => code),
    ).toContain('HeldByBadFile')
    await s.drop('a')
    expect(s.store().get('Node', 'edge-1')?.spec.isolated).toBe(true)
  })

  ofDocuments('a name defined twice keeps its last good state, and both places are named', async () => {
    const s = await make()
    await s.declare('a.yaml', [node('edge-1')])
    await s.start()
    const before = s.store().get('Node', 'edge-1')
    await s.declare('b.yaml', [node('edge-1', { isolated: true })])
    await s.declare('a.yaml', [node('edge-1', { site: 'cloud' })])
    expect(s.store().get('Node', 'edge-1')).toEqual(before)
    const { problems } = s.store().health()
    expect(problems.map(({ code, file, key }) => [code, file, key])).toEqual([
      ['DuplicateObject', 'a.yaml', 'Node/edge-1'],
      ['DuplicateObject', 'b.yaml', 'Node/edge-1'],
    ])
    expect(problems[0]?.message).toMatch(/a\.yaml.*b\.yaml/)
    await s.drop('a.yaml')
    expect(s.store().get('Node', 'edge-1')?.metadata).toMatchObject({ uid: before?.metadata.uid, generation: 2 })
  })

  ofDocuments('a new name defined twice is nobody’s until one goes', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1'), node('edge-1', { isolated: true })])
    await s.start()
    expect(s.store().list('Node')).toEqual([])
    await s.declare('a', [node('edge-1')])
    expect(s.store().list('Node')).toHaveLength(1)
  })

  ofDocuments('an immutable field cannot change; the whole last accepted spec stays', async () => {
    const s = await make()
    await s.declare('a', [archive(NAME)])
    await s.start()
    const before = s.store().get('Archive', NAME, 'office')
    await s.declare('a', [archive(NAME, { image: image('cd'), runState: 'Suspended' })])
    expect(s.store().get('Archive', NAME, 'office')).toEqual(before)
    expect(s.store().health().problems).toMatchObject([{ code: 'ImmutableField', key: `Archive/office/${NAME}` }])
    // The default written out is the same image.
    await s.declare('a', [archive(NAME, { image: { ...image('ab'), architecture: 'amd64' }, runState: 'Suspended' })])
    expect(s.store().get('Archive', NAME, 'office')?.spec.runState).toBe('Suspended')
    expect(s.store().health().problems).toEqual([])
  })

  ofDocuments('what is set once can be added, but neither changed nor taken away', async () => {
    const s = await make()
    await s.declare('a', [pairing('p')])
    await s.start()
    const decision = () => s.store().get('Pairing', 'p')?.spec.decision
    const errors = () =>
      s
        .store()
        .health()
        .problems.filter(({ severity }) => severity === 'error')
    await s.declare('a', [pairing('p', { decision: 'Deny' })])
    expect([decision(), errors()]).toEqual(['Deny', []])
    await s.declare('a', [pairing('p', { decision: 'Approve' })])
    expect([decision(), errors()]).toMatchObject(['Deny', [{ code: 'ImmutableField' }]])
    await s.declare('a', [pairing('p')])
    expect([decision(), errors()]).toMatchObject(['Deny', [{ code: 'ImmutableField' }]])
  })
}
