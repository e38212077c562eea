// The CRDs as the API server reads them, and whether it and zod accept the same objects.
import { expect, test } from 'vitest'
import { immutableBreaches } from '../../api/immutable.ts'
import { GROUP, KINDS } from '../../api/meta.ts'
import { NAMES } from '../../api/names.ts'
import { parseObject } from '../../api/parse.ts'
import { createPath, objectPath } from '../../stores/kube/resources.ts'
import { fullObject, type PlainObject } from '../objects/base.ts'
import { objectCases, updateCases } from '../objects/cases.ts'
import { generatedObjects, generatedUpdates } from '../objects/generated.ts'
import { asTheServerReads } from './differences.ts'
import { freshCluster } from './fresh-cluster.ts'

const cluster = freshCluster()
/** Requests at once: what the API server takes from one client without making it wait. */
const AT_ONCE = 16
const OBJECTS = 5_000
const UPDATES = 1_000

const accepted = (object: PlainObject) => parseObject(asTheServerReads(object)).type === 'object'

async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const one = async () => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at] as T)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
  return results
}

/** Strict, as kubectl asks for it: a field that nobody knows is refused. */
const DRY = 'dryRun=All&fieldValidation=Strict'

/** undefined: accepted; else why not. */
async function refusal(object: PlainObject): Promise<string | undefined> {
  const path = `${createPath(object.kind, object.metadata.namespace)}?${DRY}`
  const { status, text } = await cluster().request('POST', path, object)
  if (status === 201) return undefined
  if (status === 422 || status === 400) return text
  throw new Error(`unexpected answer ${status}: ${text}`)
}

test('every CRD is accepted and established: no rule is refused for its cost', async () => {
  for (const kind of KINDS) {
    const { status, json } = await cluster().request(
      'GET',
      `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${NAMES[kind].plural}.${GROUP}`,
    )
    expect(status, kind).toBe(200)
    const { conditions } = (json() as { status: { conditions: { type: string; status: string }[] } }).status
    const state = Object.fromEntries(conditions.map((c) => [c.type, c.status]))
    // NonStructuralSchema would be there, and True, for a schema that the server only tolerates.
    expect(state, kind).toEqual({ NamesAccepted: 'True', Established: 'True' })
  }
})

test('a full object of every kind is stored and comes back as it was', async () => {
  for (const kind of KINDS) {
    const object = fullObject(kind)
    const made = await cluster().request('POST', createPath(kind, object.metadata.namespace), object)
    expect(made.status, made.text).toBe(201)
    expect((made.json() as { spec: unknown }).spec).toEqual(object.spec)
    await cluster().request('DELETE', objectPath(kind, object.metadata))
  }
})

test(`zod and the API server agree on the cases made from the bounds, and on ${OBJECTS} generated objects`, async () => {
  const cases = [...objectCases(), ...generatedObjects(OBJECTS)]
  const refusals = await inParallel(cases, ({ object }) => refusal(object))
  const differ = cases.flatMap(({ label, object }, at) => {
    const why = refusals[at]
    if ((why === undefined) === accepted(object)) return []
    return [`${label}: zod ${accepted(object) ? 'accepts' : 'refuses'}, the server says ${why ?? 'yes'}`]
  })
  expect(differ).toEqual([])
  // Both answers occur in earnest.
  const yes = refusals.filter((why) => why === undefined).length
  expect(yes).toBeGreaterThan(cases.length / 10)
  expect(yes).toBeLessThan((cases.length * 9) / 10)
})

test(`they agree on ${UPDATES} generated updates, and on the table of what may change`, async () => {
  const cases = [...updateCases(), ...generatedUpdates(UPDATES)]
  const outcomes = await inParallel(
    cases.map((c, at) => ({ ...c, at })),
    async ({ before, after, at }) => {
      // A name of its own for each, as the server really keeps the object that is changed.
      const named = (object: PlainObject): PlainObject => {
        const { kind } = object
        const name = kind === 'Archive' ? `cluster-totebox-update-${at}` : `update-${at}`
        const spec = kind === 'ResourcePool' ? { ...object.spec, nodeName: name } : object.spec
        return { ...object, metadata: { ...object.metadata, name }, spec }
      }
      const [was, is] = [named(before), named(after)]
      const made = await cluster().request('POST', createPath(was.kind, was.metadata.namespace), was)
      expect(made.status, made.text).toBe(201)
      const { resourceVersion } = (made.json() as { metadata: { resourceVersion: string } }).metadata
      const body = { ...is, metadata: { ...is.metadata, resourceVersion } }
      const put = await cluster().request('PUT', `${objectPath(is.kind, is.metadata)}?${DRY}`, body)
      await cluster().request('DELETE', objectPath(was.kind, was.metadata))
      return { was, is, server: put.status === 200, text: put.text }
    },
  )
  const differ = outcomes.flatMap(({ was, is, server, text }, at) => {
    const [a, b] = [parseObject(was), parseObject(asTheServerReads(is))]
    const zod =
      a.type === 'object' &&
      b.type === 'object' &&
      immutableBreaches(a.draft.kind, a.draft.spec, b.draft.spec).length === 0
    return zod === server ? [] : [`${cases[at]?.label}: zod says ${zod}, the server ${text.slice(0, 400)}`]
  })
  expect(differ).toEqual([])
  expect(outcomes.some(({ server }) => server) && outcomes.some(({ server }) => !server)).toBe(true)
})
