import { expect, test } from 'vitest'
import type { KubeAnswer, KubeRequest } from './api.ts'
import { meshBrake } from './mesh-brake.ts'

function server(annotations: Record<string, Record<string, string>>) {
  const asked: KubeRequest[] = []
  let fault: number | undefined
  const request = async (request: KubeRequest): Promise<KubeAnswer> => {
    asked.push(request)
    if (fault !== undefined) return { status: fault, body: { message: 'no' } }
    if (request.method === 'GET') {
      const items = Object.entries(annotations).map(([name, of]) => ({
        metadata: { name, uid: name, resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z', annotations: of },
      }))
      return { status: 200, body: { metadata: { resourceVersion: '1' }, items } }
    }
    const name = request.path.split('/').at(-1) as string
    const { metadata } = request.body as { metadata: { annotations: Record<string, string | null> } }
    for (const [key, value] of Object.entries(metadata.annotations)) {
      if (value === null) delete annotations[name]?.[key]
      else (annotations[name] as Record<string, string>)[key] = value
    }
    return { status: 200, body: {} }
  }
  return {
    asked,
    brake: meshBrake({ api: { request } }),
    fail: (status: number | undefined) => {
      fault = status
    },
  }
}

test('the annotation is the brake and its value the reason; an empty one is a brake too', async () => {
  const annotations: Record<string, Record<string, string>> = { default: {} }
  const { brake } = server(annotations)
  expect(await brake.look()).toBeUndefined()
  await brake.set('moving the rack')
  expect(annotations.default).toEqual({ 'ppn.dev/brake': 'moving the rack' })
  expect(await brake.look()).toBe('moving the rack')
  await brake.release()
  expect(await brake.look()).toBeUndefined()
  annotations.default = { 'ppn.dev/brake': '' }
  expect(await brake.look()).toBe('')
})

test('of two meshes one is enough to stop, and a release takes it off all of them', async () => {
  const annotations: Record<string, Record<string, string>> = { default: {}, other: { 'ppn.dev/brake': 'x' } }
  const { brake } = server(annotations)
  expect(await brake.look()).toBe('x')
  await brake.release()
  expect(annotations).toEqual({ default: {}, other: {} })
})

test('what cannot be read is an error, which the authority takes for a brake; it is asked for at most 4 s', async () => {
  const { brake, fail, asked } = server({ default: {} })
  fail(403)
  await expect(brake.look()).rejects.toThrow('403')
  expect(asked[0]).toMatchObject({ method: 'GET', withinMs: 4_000 })
})

test('without a Mesh there is nothing to carry it, and that is said', async () => {
  const { brake } = server({})
  expect(await brake.look()).toBeUndefined()
  await expect(brake.set('x')).rejects.toMatchObject({ code: 'NoMeshToBrake' })
})
