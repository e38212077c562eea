import { expect, test } from 'vitest'
import type { KubeAnswer, KubeRequest } from './api.ts'
import { registryLines } from './registry-lines.ts'

/** A server that keeps pieces, and whose next answers to POST may be lost or bad. */
function server(next: ('lost' | 500)[] = []) {
  const pieces = new Map<string, { number: number; text: string }>()
  const posts: string[] = []
  const request = async ({ method, path, body }: KubeRequest): Promise<KubeAnswer> => {
    if (method === 'GET' && path.includes('?')) {
      const items = [...pieces.values()]
      return { status: 200, body: { metadata: { resourceVersion: '1' }, items } }
    }
    if (method === 'GET') {
      const found = pieces.get(path.split('/').at(-1) ?? '')
      return found ? { status: 200, body: { ...found } } : { status: 404, body: {} }
    }
    const { metadata, number, text } = body as { metadata: { name: string }; number: number; text: string }
    posts.push(metadata.name)
    const fault = next.shift()
    if (fault === 500) return { status: 500, body: { message: 'etcd is away' } }
    if (pieces.has(metadata.name)) return { status: 409, body: {} }
    pieces.set(metadata.name, { number, text })
    if (fault === 'lost') throw new Error('the connection broke')
    return { status: 201, body: {} }
  }
  const open = () => registryLines({ request }, 'ppn-system')
  return { pieces, posts, open }
}
const text = async (lines: ReturnType<typeof registryLines>) => Buffer.from(await lines.read()).toString()

test('pieces in order are the file, byte for byte, whoever reads them', async () => {
  const { open, posts } = server()
  const lines = open()
  expect(await text(lines)).toBe('')
  await lines.append(Buffer.from('one\n'))
  await lines.append(Buffer.from('zwei ü\n'))
  expect(posts).toEqual(['nodes-000001', 'nodes-000002'])
  expect(await text(open())).toBe('one\nzwei ü\n')
})

test('who has not read what another has appended appends nothing', async () => {
  const { open, pieces } = server()
  const [first, second] = [open(), open()]
  await first.append(Buffer.from('first\n'))
  await expect(second.append(Buffer.from('second\n'))).rejects.toMatchObject({ code: 'Conflict' })
  expect(pieces.size).toBe(1)
})

test('an append whose answer was lost is found to be there, and is not there twice', async () => {
  const { open, pieces } = server(['lost'])
  const lines = open()
  await lines.append(Buffer.from('one\n'))
  await lines.append(Buffer.from('two\n'))
  expect([...pieces.keys()]).toEqual(['nodes-000001', 'nodes-000002'])
})

test('a fault of the server is tried again, and at last told', async () => {
  const { open, pieces } = server([500])
  await open().append(Buffer.from('one\n'))
  expect(pieces.size).toBe(1)
  await expect(server([500, 500, 500]).open().append(Buffer.from('x'))).rejects.toMatchObject({ code: 'KubeRefused' })
})

test('a piece that is missing breaks the registry', async () => {
  const { open, pieces } = server()
  const lines = open()
  for (const line of ['one\n', 'two\n', 'three\n']) await lines.append(Buffer.from(line))
  pieces.delete('nodes-000002')
  await expect(open().read()).rejects.toMatchObject({ code: 'ChainBroken', details: { line: 2 } })
})
