import { expect, test } from 'vitest'
import { archive, node, pairing, withMeta } from './documents.ts'
import { documentTest, type MakeSubject, type SourceKind } from './subject.ts'

/** What an author's words become. */
export function declaring(make: MakeSubject, source: SourceKind): void {
  const ofDocuments = documentTest(source)
  test('an object gets a random uid, generation 1, its defaults and the labels it was given', async () => {
    const s = await make()
    await s.declare('a', [
      withMeta(node('edge-1'), { labels: { site: 'north' }, annotations: { 'ppn.dev/paused': '1' } }),
    ])
    await s.start()
    const edge = s.store().get('Node', 'edge-1')
    expect(edge?.metadata).toMatchObject({
      name: 'edge-1',
      generation: 1,
      finalizers: [],
      labels: { site: 'north' },
      annotations: { 'ppn.dev/paused': '1' },
    })
    expect(edge?.metadata.uid).toMatch(/^[0-9a-f-]{32,36}$/)
    expect(edge?.spec).toMatchObject({ mesh: 'default', role: 'spoke', isolated: false })
  })

  test('objects are listed by namespace and name', async () => {
    const s = await make()
    const name = (n: number) => `cluster-totebox-a-${n}`
    await s.declare('a', [archive(name(2), {}, 'b'), archive(name(1), {}, 'b'), archive(name(3), {}, 'a')])
    await s.start()
    const listed = s.store().list('Archive')
    expect(listed.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual([
      `a/${name(3)}`,
      `b/${name(1)}`,
      `b/${name(2)}`,
    ])
    expect(s.store().getByKey(`Archive/b/${name(1)}`)).toBe(s.store().get('Archive', name(1), 'b'))
    expect(s.store().list('Node')).toEqual([])
  })

  ofDocuments('generation counts changes of the author’s spec before defaulting, and of nothing else', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.start()
    const generation = () => s.store().get('Node', 'edge-1')?.metadata.generation
    await s.declare('a', [withMeta(node('edge-1'), { labels: { a: 'b' } })])
    expect(s.store().get('Node', 'edge-1')?.metadata.labels).toEqual({ a: 'b' })
    expect(generation()).toBe(1)
    await s.declare('a', [node('edge-1', { isolated: true })])
    expect(generation()).toBe(2)
    // The default written out is a change of the author's words.
    await s.declare('a', [node('edge-1', { isolated: false })])
    expect(generation()).toBe(3)
    await s.declare('a', [node('edge-1')])
    expect(generation()).toBe(4)
    await s.declare('a', [node('edge-1')])
    expect(generation()).toBe(4)
  })

  test('the resource version changes with every change of the stored object, and only then', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1'), node('edge-2')])
    await s.start()
    const version = (name: string) => s.store().get('Node', name)?.metadata.resourceVersion
    const [first, second] = [version('edge-1'), version('edge-2')]
    await s.declare('a', [node('edge-1', { isolated: true }), node('edge-2')])
    expect(version('edge-1')).not.toBe(first)
    expect(version('edge-2')).toBe(second)
  })

  ofDocuments('an object that moves to another place is the same object', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.start()
    const before = s.store().get('Node', 'edge-1')
    await s.declare('b', [])
    await s.setUnreadable(true)
    await s.drop('a')
    await s.declare('b', [node('edge-1')])
    await s.setUnreadable(false)
    expect(s.store().get('Node', 'edge-1')).toEqual(before)
  })

  ofDocuments('status, uid and resourceVersion in a source are ignored with a warning', async () => {
    const s = await make()
    const claimed = withMeta(node('edge-1'), { uid: 'mine', resourceVersion: '7', finalizers: ['x'] })
    await s.declare('a', [{ ...claimed, status: { address: '10.8.0.9' } }])
    await s.start()
    const edge = s.store().get('Node', 'edge-1')
    expect(edge?.metadata.uid).not.toBe('mine')
    expect(edge?.metadata.finalizers).toEqual([])
    expect(edge?.status).toBeUndefined()
    const { problems } = s.store().health()
    expect(problems.map((p) => [p.code, p.severity, p.key])).toEqual(
      Array(4).fill(['IgnoredField', 'warning', 'Node/edge-1']),
    )
  })

  ofDocuments('a misspelt field, kind or value is refused with what was meant', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1', { isolatd: true })])
    await s.declare('b', [node('edge-2', { site: 'onprm' })])
    await s.declare('c', [{ ...node('edge-3'), kind: 'Ndoe' }])
    await s.declare('d', [{ ...node('edge-4'), apiVersion: 'ppn.dev/v1alpha2' }])
    await s.start()
    expect(s.store().list('Node')).toEqual([])
    const said = s
      .store()
      .health()
      .problems.map(({ code, hint, severity }) => [code, hint, severity])
    expect(said).toEqual([
      ['UnknownField', 'did you mean isolated?', 'error'],
      ['InvalidValue', 'did you mean onprem?', 'error'],
      ['UnknownKind', 'did you mean Node?', 'error'],
      ['UnknownVersion', 'did you mean ppn.dev/v1alpha1?', 'error'],
    ])
  })

  ofDocuments('an object of somebody else is passed over with a warning', async () => {
    const s = await make()
    const foreign = { apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', resources: [] }
    await s.declare('a', [foreign, node('edge-1')])
    await s.start()
    expect(s.store().list('Node')).toHaveLength(1)
    expect(s.store().health().problems).toMatchObject([{ code: 'ForeignObject', severity: 'warning' }])
  })

  test('an act of a person stands beside the source and is not touched by it', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.start()
    const made = await s.store().create('Pairing', 'p1', pairing('p1').spec)
    expect(made).toMatchObject({ kind: 'Pairing', metadata: { name: 'p1', generation: 1 } })
    await s.declare('a', [])
    expect(s.store().list('Node')).toEqual([])
    expect(s.store().getByKey('Pairing/p1')).toEqual(made)
    await expect(s.store().create('Pairing', 'p1', pairing('p1').spec)).rejects.toMatchObject({ code: 'AlreadyExists' })
    await expect(s.store().create('Pairing', 'p2', { nodeName: 'x' })).rejects.toMatchObject({ code: 'InvalidObject' })
    await s.store().remove('Pairing/p1')
    expect(s.store().getByKey('Pairing/p1')).toBeUndefined()
  })

  test('a declared object is removed in its source, not by an act', async () => {
    const s = await make()
    await s.declare('a', [node('edge-1')])
    await s.start()
    await expect(s.store().remove('Node/edge-1')).rejects.toMatchObject({ code: 'DeclaredInFolder' })
    await s.store().remove('Node/nobody')
    expect(s.store().list('Node')).toHaveLength(1)
  })
}
