// Images over TLS, from a server of our own whose certificate only the driver is told to trust.
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { type FileImagesOptions, fileImages } from '../../../agent/drivers/image/files.ts'
import { systemClock } from '../../../base/clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { runOk, systemProcesses } from '../../../base/processes.ts'
import type { Digest } from '../../../protocol/ids.ts'
import { virtualClock } from '../../../testing/virtual-clock.ts'

const ID = 'a'.repeat(32)
const MIB = 1_048_576
const IMAGE = randomBytes(3 * MIB + 17)
const sha256 = createHash('sha256').update(IMAGE).digest('hex') as Digest

type Handler = (request: IncomingMessage, response: ServerResponse) => void

let root: string
let tls: { key: Buffer; cert: Buffer }
let servers: Server[]
let asked: string[]

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'ppn-https-'))
  const [key, cert] = [path.join(root, 'key'), path.join(root, 'cert')]
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost']
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  await runOk(systemProcesses(), 'openssl', ['req', '-x509', ...made, ...subject, '-keyout', key, '-out', cert])
  tls = { key: await readFile(key), cert: await readFile(cert) }
})
afterAll(() => rm(root, { recursive: true, force: true }))
beforeEach(() => {
  servers = []
  asked = []
})
afterEach(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
  await rm(path.join(root, 'archives'), { recursive: true, force: true })
})

/** Its host and port. */
async function serve(handler: Handler): Promise<string> {
  const server = createServer(tls, (request, response) => {
    asked.push(`${request.headers.host}${request.url}`)
    handler(request, response)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
  return `localhost:${(server.address() as AddressInfo).port}`
}

const create = (host: string, more: Partial<FileImagesOptions & { signal: AbortSignal; sha256: Digest }> = {}) =>
  fileImages({
    folder: path.join(root, 'archives'),
    allowedFolders: [],
    allowedHosts: [host],
    clock: systemClock(),
    log: silentLogger(),
    ca: [tls.cert.toString()],
    ...more,
  }).create(
    ID,
    { source: `https://${host}/a.raw`, sha256: more.sha256 ?? sha256, format: 'raw' },
    more.signal ?? new AbortController().signal,
  )

async function refused(made: Promise<unknown>, code: string): Promise<void> {
  await expect(made).rejects.toMatchObject({ code })
  const left = await readdir(path.join(root, 'archives', ID)).catch(() => [])
  expect(left.filter((name) => name !== 'image')).toEqual([])
}

const whole: Handler = (_, response) => void response.writeHead(200, { 'content-length': IMAGE.length }).end(IMAGE)
const status = (code: number, headers: Record<string, string> = {}): Handler => {
  return (_, response) => void response.writeHead(code, headers).end()
}

test('an image from an allowed host becomes the disk', async () => {
  const disk = await create(await serve(whole))
  expect((await readFile(disk.path)).equals(IMAGE)).toBe(true)
  expect(disk).toMatchObject({ sizeMiB: 4, imageSha256: sha256 })
})

test('without a declared length it is taken as well', async () => {
  const disk = await create(await serve((_, response) => void response.writeHead(200).end(IMAGE)))
  expect((await readFile(disk.path)).equals(IMAGE)).toBe(true)
})

test('another digest than declared makes no disk', async () =>
  refused(create(await serve(whole), { sha256: 'f'.repeat(64) as Digest }), 'ImageDigestMismatch'))

test('a host whose certificate nobody vouches for is asked for nothing', async () => {
  await refused(create(await serve(whole), { ca: [] }), 'ImageUnreachable')
  expect(asked).toEqual([])
})

test('what is gone is told apart from what does not work', async () => {
  await refused(create(await serve(status(404))), 'ImageNotFound')
  await refused(create(await serve(status(503))), 'ImageUnreachable')
})

test('a redirect is followed to a host that is allowed', async () => {
  const there = await serve(whole)
  const here = await serve(status(302, { location: `https://${there}/b.raw` }))
  await create(here, { allowedHosts: [here, there] })
  expect(asked).toEqual([`${here}/a.raw`, `${there}/b.raw`])
})

test.each([
  ['a host that is not', (there: string) => `https://${there}/b.raw`],
  ['plain http', (there: string) => `http://${there}/b.raw`],
  ['a file', () => 'file:///etc/passwd'],
])('a redirect is not followed to %s', async (_, target) => {
  const there = await serve(whole)
  const here = await serve(status(302, { location: target(there) }))
  await refused(create(here), 'SourceNotAllowed')
  expect(asked).toEqual([`${here}/a.raw`])
})

test('redirects in a circle end', async () => {
  await refused(create(await serve(status(307, { location: '/a.raw' }))), 'ImageUnreachable')
  expect(asked.length).toBeLessThan(10)
})

test('a download that is cut leaves nothing, and the next attempt has it', async () => {
  const cut = await serve((_, response) => {
    response.writeHead(200, { 'content-length': IMAGE.length })
    response.write(IMAGE.subarray(0, 2 * MIB), () => response.destroy())
  })
  await refused(create(cut), 'ImageUnreachable')
  expect(await create(await serve(whole))).toMatchObject({ imageSha256: sha256 })
})

test('more than is allowed is refused, announced or not', async () => {
  await refused(create(await serve(whole), { maxImageBytes: MIB }), 'ImageTooLarge')
  const endless = await serve((_, response) => {
    const more = () => response.write(IMAGE, () => response.destroyed || more())
    more()
  })
  await refused(create(endless, { maxImageBytes: 20 * MIB }), 'ImageTooLarge')
})

test('where there is no room not even a part is fetched', async () => {
  await refused(create(await serve(whole), { room: async () => MIB }), 'DiskFull')
})

test('calling it off ends the download and leaves nothing', async () => {
  const stop = new AbortController()
  const host = await serve((request, response) => {
    response.writeHead(200, { 'content-length': IMAGE.length })
    response.write(IMAGE.subarray(0, MIB), () => stop.abort(new Error('called off')))
    request.once('close', () => asked.push('closed'))
  })
  await expect(create(host, { signal: stop.signal })).rejects.toThrow('called off')
  await expect.poll(() => asked).toContain('closed')
  expect(await readdir(path.join(root, 'archives', ID)).catch(() => [])).not.toContain('.disk.new')
})

test.each([
  ['before it answers', false],
  ['in the middle', true],
])('a host that falls silent %s is given up', async (_, answers) => {
  const clock = virtualClock()
  const host = await serve((_, response) => {
    if (answers) response.writeHead(200, { 'content-length': IMAGE.length }).write(IMAGE.subarray(0, 100))
  })
  const made = create(host, { clock })
  made.catch(() => {})
  let over = false
  const ended = () => {
    over = true
  }
  made.then(ended, ended)
  await expect.poll(() => asked).toHaveLength(1)
  // The answer's first bytes are on their way: each look finds the driver waiting for the next.
  await expect.poll(() => clock.advance(10_000).then(() => over), { timeout: 60_000 }).toBe(true)
  await refused(made, 'ImageUnreachable')
})
