import { expect, test } from 'vitest'
import { archive, node, pairing } from './documents.ts'
import { documentTest, heard, type MakeSubject, type SourceKind } from './subject.ts'

const KEY = 'Node/edge-1'

/** What a restart does not lose. */
export function outliving(make: MakeSubject, source: SourceKind): void {
  const ofDocuments = documentTest(source)
  test('objects keep identity, generation, status and finalizers', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.start()
    await s.declare('a', [node('edge-1', { isolated: true })])
    const uid = s.store().getByKey(KEY)?.metadata.uid as string
    await s.store().addFinalizer(KEY, uid, 'ppn.dev/teardown')
    await s.store().updateStatus(s.store().get('Node', 'edge-1')!, { observedGeneration: 2, conditions: [] })
    const before = s.store().getByKey(KEY)
    await s.reopen()
    if (source === 'documents') expect(s.store().getByKey(KEY)).toEqual(before)
    const lines = heard(s.store())
    expect(await s.start()).toBe(true)
    expect(s.store().getByKey(KEY)).toEqual(before)
    // Unchanged, yet announced: whoever listens starts with nothing.
    expect(lines.filter((line) => line !== 'health')).toEqual([`upsert ${KEY}`, 'synced'])
  })

  ofDocuments('a refusal survives: the last accepted spec stays, not the refused one', async () => {
    const s = await make()
    const name = 'cluster-totebox-a-1'
    const other = { source: 'https://images.example/other.raw', sha256: 'cd'.repeat(32), format: 'raw' }
    await s.declare('a', [archive(name), node('edge-1')])
    await s.start()
    await s.declare('a', [archive(name, { image: other }), node('edge-1', { role: 'king' })])
    await s.reopen()
    await s.start()
    expect(s.store().get('Archive', name, 'office')?.spec.image.format).toBe('qcow2')
    expect(s.store().get('Node', 'edge-1')?.spec.role).toBe('spoke')
    expect(
      s
        .store()
        .health()
        .problems.map(({ code }) => code)
        .sort(),
    ).toEqual(['ImmutableField', 'InvalidValue'])
  })

  ofDocuments('a hold survives: a place unreadable at the start keeps its objects', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.start()
    await s.garble('a')
    await s.reopen()
    await s.start()
    expect(s.store().getByKey(KEY)?.metadata).not.toHaveProperty('deletionTimestamp')
  })

  ofDocuments('a source unreadable at the start: the fleet is held as it was last accepted', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.start()
    await s.reopen()
    await s.setUnreadable(true)
    const lines = heard(s.store())
    expect(await s.start()).toBe(true)
    expect(s.store().health()).toMatchObject({ synced: true, unreadable: expect.any(String) })
    expect(s.store().list('Node')).toHaveLength(1)
    expect(lines.filter((line) => line !== 'health')).toEqual([`upsert ${KEY}`, 'synced'])
    await s.setUnreadable(false)
    expect(lines.filter((line) => line !== 'health')).toEqual([`upsert ${KEY}`, 'synced'])
  })

  test('a source unreadable at the very first start is waited for', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.setUnreadable(true)
    expect(await s.start()).toBe(false)
    expect(s.store().health()).toMatchObject({ synced: false, unreadable: expect.any(String) })
    await s.setUnreadable(false)
    expect(s.store().health().synced).toBe(true)
    expect(s.store().list('Node')).toHaveLength(1)
  })

  test('an object deleted while nobody looked is found gone', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1'), node('edge-2')])
    await s.start()
    await s.reopen()
    await s.declare('a', [node('edge-2')])
    await s.start()
    expect(s.store().getByKey(KEY)).toBeUndefined()
  })

  ofDocuments('a tombstone stays one, and a committed deletion stays committed', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1'), node('edge-2')])
    await s.start()
    const uid = (name: string) => s.store().get('Node', name)?.metadata.uid as string
    const [first, second] = [uid('edge-1'), uid('edge-2')]
    await s.store().addFinalizer('Node/edge-1', first, 'f')
    await s.store().addFinalizer('Node/edge-2', second, 'f')
    await s.declare('a', [])
    await s.store().commitDeletion('Node/edge-1', first)
    await s.reopen()
    await s.declare('a', [node('edge-1'), node('edge-2')])
    await s.start()
    expect(s.store().get('Node', 'edge-1')?.metadata.deletionTimestamp).toBeDefined()
    expect(s.store().get('Node', 'edge-2')?.metadata.deletionTimestamp).toBeUndefined()
    await s.store().removeFinalizer('Node/edge-1', first, 'f')
    expect(uid('edge-1')).not.toBe(first)
    expect(uid('edge-2')).toBe(second)
  })

  test('an act is there again, though no source names it', async () => {
    const s = await make()
    await s.start()
    const made = await s.store().create('Pairing', 'p1', pairing('p1').spec)
    await s.reopen()
    await s.start()
    expect(s.store().getByKey('Pairing/p1')).toEqual(made)
  })

  test('a resource version is never given twice', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.start()
    const seen = Number(s.store().getByKey(KEY)?.metadata.resourceVersion)
    await s.drop('a')
    await s.reopen()
    await s.declare('a', [node('edge-1')])
    await s.start()
    expect(Number(s.store().getByKey(KEY)?.metadata.resourceVersion)).toBeGreaterThan(seen)
  })
}
