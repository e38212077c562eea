import { expect, test } from 'vitest'
import { node } from './documents.ts'
import { documentTest, heard, type MakeSubject, type SourceKind, type StoreSubject } from './subject.ts'

const KEY = 'Node/edge-1'
const FINALIZER = 'ppn.dev/teardown'

/** The end of an object, and the way back. */
export function deleting(make: MakeSubject, source: SourceKind): void {
  const ofDocuments = documentTest(source)
  const withFinalizer = async (): Promise<{ s: StoreSubject; uid: string }> => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.declare('b', [node('edge-2')])
    await s.start()
    const uid = s.store().getByKey(KEY)?.metadata.uid as string
    await s.store().addFinalizer(KEY, uid, FINALIZER)
    return { s, uid }
  }
  const meta = (s: StoreSubject) => s.store().getByKey(KEY)?.metadata

  test('an object without finalizers goes at once when a completely read source does not name it', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.start()
    const lines = heard(s.store())
    await s.drop('a')
    expect(s.store().getByKey(KEY)).toBeUndefined()
    expect(lines).toEqual([`removed ${KEY}`])
  })

  test('a deleted object is a tombstone until its finalizers are done', async () => {
    const { s, uid } = await withFinalizer()
    await s.store().addFinalizer(KEY, uid, 'example.com/other')
    const lines = heard(s.store())
    await s.drop('a')
    expect(meta(s)?.deletionTimestamp).toMatch(/^\d{4}-.*Z$/)
    expect(s.store().list('Node')).toHaveLength(2)
    await s.store().removeFinalizer(KEY, uid, FINALIZER)
    expect(meta(s)?.finalizers).toEqual(['example.com/other'])
    await s.store().removeFinalizer(KEY, uid, 'example.com/other')
    expect(meta(s)).toBeUndefined()
    expect(lines).toEqual([`upsert ${KEY}`, `upsert ${KEY}`, `removed ${KEY}`])
  })

  ofDocuments('its definition returning before the first irreversible effect cancels the deletion', async () => {
    const { s, uid } = await withFinalizer()
    await s.drop('a')
    await s.declare('a', [node('edge-1')])
    expect(meta(s)).toMatchObject({ uid, generation: 1, finalizers: [FINALIZER] })
    expect(meta(s)).not.toHaveProperty('deletionTimestamp')
    await s.drop('a')
    await s.declare('a', [node('edge-1', { isolated: true })])
    expect(meta(s)).toMatchObject({ uid, generation: 2 })
    expect(meta(s)).not.toHaveProperty('deletionTimestamp')
  })

  ofDocuments('its definition returning spoilt cancels the deletion too: the last good state stays', async () => {
    const { s, uid } = await withFinalizer()
    await s.drop('a')
    await s.declare('a', [node('edge-1', { role: 'king' })])
    expect(meta(s)).toMatchObject({ uid, generation: 1 })
    expect(meta(s)).not.toHaveProperty('deletionTimestamp')
  })

  ofDocuments('after the first irreversible effect it returns as a new object, once the old one is gone', async () => {
    const { s, uid } = await withFinalizer()
    await s.drop('a')
    await s.store().commitDeletion(KEY, uid)
    await s.declare('a', [node('edge-1', { isolated: true })])
    expect(meta(s)).toMatchObject({ uid, deletionTimestamp: expect.any(String) })
    const lines = heard(s.store())
    await s.store().removeFinalizer(KEY, uid, FINALIZER)
    expect(lines).toEqual([`removed ${KEY}`, `upsert ${KEY}`])
    expect(meta(s)).toMatchObject({ generation: 1, finalizers: [] })
    expect(meta(s)?.uid).not.toBe(uid)
    expect(s.store().get('Node', 'edge-1')?.spec.isolated).toBe(true)
  })

  ofDocuments('a definition that returned and went again makes no new object', async () => {
    const { s, uid } = await withFinalizer()
    await s.drop('a')
    await s.store().commitDeletion(KEY, uid)
    await s.declare('a', [node('edge-1')])
    await s.drop('a')
    await s.store().removeFinalizer(KEY, uid, FINALIZER)
    expect(meta(s)).toBeUndefined()
  })

  ofDocuments('a deletion that was never asked for cannot be committed', async () => {
    const { s, uid } = await withFinalizer()
    await s.store().commitDeletion(KEY, uid)
    await s.drop('a')
    await s.declare('a', [node('edge-1')])
    expect(meta(s)).toMatchObject({ uid })
    expect(meta(s)).not.toHaveProperty('deletionTimestamp')
  })

  test('nobody acts on an object by the uid of another', async () => {
    const { s, uid } = await withFinalizer()
    await s.store().addFinalizer(KEY, 'other', 'example.com/x')
    await s.store().removeFinalizer(KEY, 'other', FINALIZER)
    expect(meta(s)?.finalizers).toEqual([FINALIZER])
    await s.drop('a')
    await s.store().commitDeletion(KEY, 'other')
    await s.store().addFinalizer(KEY, uid, 'example.com/late')
    expect(meta(s)?.finalizers).toEqual([FINALIZER])
    await s.declare('a', [node('edge-1')])
    expect(meta(s)?.uid).toBe(uid)
  })

  test('a name used again after its object went is another object', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.start()
    const uid = meta(s)?.uid
    await s.drop('a')
    await s.declare('a', [node('edge-1')])
    expect(meta(s)?.generation).toBe(1)
    expect(meta(s)?.uid).not.toBe(uid)
  })

  test('an act with finalizers is a tombstone first, like everything else', async () => {
    const s = await make()
    await s.start()
    const { metadata } = await s.store().create('Node', 'edge-1', node('edge-1').spec)
    await s.store().addFinalizer(KEY, metadata.uid, FINALIZER)
    await s.store().remove(KEY)
    expect(meta(s)?.deletionTimestamp).toBeDefined()
    await s.store().removeFinalizer(KEY, metadata.uid, FINALIZER)
    expect(meta(s)).toBeUndefined()
  })

  test('a source emptied on purpose leaves tombstones, for the controllers to hold', async () => {
    const { s } = await withFinalizer()
    await s.drop('a')
    await s.drop('b')
    expect(meta(s)?.deletionTimestamp).toBeDefined()
    expect(s.store().health().unreadable).toBeUndefined()
  })
}
