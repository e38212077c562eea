import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PpnError } from '../../base/errors.ts'
import { silentLogger } from '../../base/log.ts'
import type { AdminBackend, AdminWatchEvent } from './backend.ts'
import { connectAdmin } from './client.ts'
import { serveAdmin } from './server.ts'
import { socketPath } from './socket-path.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ppn-admin-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const backend = (over: Partial<AdminBackend>): AdminBackend =>
  ({ version: () => ({ pid: 1 }), ...over }) as AdminBackend

test('without an authority there is no client, also when a dead socket is left over', async () => {
  expect(await connectAdmin(folder)).toBeUndefined()
  writeFileSync(join(folder, 'admin.path'), `${join(folder, 'nobody.sock')}\n`)
  expect(await connectAdmin(folder)).toBeUndefined()
})

test('a call carries its arguments there and its result back', async () => {
  const server = await serveAdmin(folder, backend({ objects: (filter) => [filter as never] }), silentLogger())
  const client = await connectAdmin(folder)
  expect(await client?.objects({ kind: 'Node', name: 'edge-2' })).toEqual([{ kind: 'Node', name: 'edge-2' }])
  expect(await client?.objects({ kind: 'Archive', namespace: 'a&b', name: undefined })).toEqual([
    { kind: 'Archive', namespace: 'a&b' },
  ])
  await server.close()
})

test('the socket is for its owner alone', async () => {
  const server = await serveAdmin(folder, backend({}), silentLogger())
  expect(statSync(server.path).mode & 0o777).toBe(0o600)
  await server.close()
})

test('an error keeps its code and its hint', async () => {
  const fail = async () => {
    throw new PpnError('FileLocked', { path: 'x' })
  }
  const server = await serveAdmin(folder, backend({ retry: fail }), silentLogger())
  const client = await connectAdmin(folder)
  await expect(client?.retry('edge-2')).rejects.toMatchObject({
    code: 'FileLocked',
    hint: expect.stringContaining('process'),
  })
  await expect(client?.confirm('no key')).rejects.toMatchObject({ code: 'BadRequest' })
  await server.close()
})

test('a watch ends at the server when its reader leaves', async () => {
  let ended = false
  async function* watch(_: unknown, signal: AbortSignal): AsyncGenerator<AdminWatchEvent> {
    yield { type: 'ADDED', object: { kind: 'Node' } as never }
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    ended = true
  }
  const server = await serveAdmin(folder, backend({ watch }), silentLogger())
  const client = await connectAdmin(folder)
  const leave = new AbortController()
  const seen: string[] = []
  try {
    for await (const event of client?.watch({}, leave.signal) ?? []) {
      seen.push(event.type)
      leave.abort()
    }
  } catch {
    // Aborting the request is how a reader leaves.
  }
  expect(seen).toEqual(['ADDED'])
  await expect.poll(() => ended).toBe(true)
  await server.close()
})

test('a state folder with a long path gets its socket elsewhere', () => {
  const long = join('/', 'x'.repeat(120))
  expect(socketPath(long, '/run/user/1')).toMatch(/^\/run\/user\/1\/ppn-[0-9a-f]{16}\.sock$/)
  expect(socketPath('/var/lib/ppn', '/run/user/1')).toBe('/var/lib/ppn/admin.sock')
})
