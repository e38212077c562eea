import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, open, readdir, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { systemProcesses } from '../../../base/processes.ts'
import { imageConformance } from '../conformance/image.ts'
import { CHUNK_BYTES } from '../figures.ts'
import { type FileImagesOptions, fileImages } from './files.ts'

const ID = 'a'.repeat(32)
const MIB = 1_048_576
const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex')
const never = () => new AbortController().signal

let root: string
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'ppn-images-'))
  await mkdir(path.join(root, 'images'))
  await mkdir(path.join(root, 'elsewhere'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

const at = (...names: string[]) => path.join(root, ...names)
const archives = () => at('archives')
const driver = (more: Partial<FileImagesOptions> = {}) =>
  fileImages({
    folder: archives(),
    allowedFolders: [at('images')],
    allowedHosts: ['images.example'],
    clock: systemClock(),
    log: silentLogger(),
    ...more,
  })

/** An image file below `images`, declared as it is. */
async function image(name: string, bytes: Uint8Array | string, format: 'raw' | 'qcow2' = 'raw') {
  await writeFile(at('images', name), bytes)
  return { source: `file://${at('images', name)}`, sha256: sha256(bytes), format }
}

imageConformance('file', async () => {
  const good = await image('good.raw', Buffer.alloc(3 * MIB, 'content'))
  let room = Number.MAX_SAFE_INTEGER
  return {
    driver: driver({ room: async () => room }),
    good,
    wrongDigest: { ...good, sha256: sha256('something else') },
    absent: { ...good, source: `file://${at('images', 'gone.raw')}` },
    notAllowed: { ...good, source: 'http://images.example/good.raw' },
    fill: async () => {
      room = 0
    },
    pass: async () => {},
    withinMs: 0,
    close: async () => {},
  }
})

test('a disk holds the bytes of its image, belongs to the agent alone, and has holes where the image has', async () => {
  const spec = await image('sparse.raw', 'head')
  await truncate(at('images', 'sparse.raw'), 64 * MIB)
  const file = await open(at('images', 'sparse.raw'), 'r+')
  await file.write('tail', 63 * MIB)
  await file.close()
  const bytes = Buffer.alloc(64 * MIB)
  bytes.write('head')
  bytes.write('tail', 63 * MIB)
  const images = driver()
  const disk = await images.create(ID, { ...spec, sha256: sha256(bytes) }, never())
  expect(disk).toMatchObject({ path: path.join(archives(), ID, 'disk'), sizeMiB: 64 })
  const { mode, blocks, size } = await stat(disk.path)
  expect(mode & 0o777).toBe(0o600)
  expect(size).toBe(64 * MIB)
  expect(blocks * 512).toBeLessThan(2 * MIB)
  expect(Buffer.from(await images.readChunk(ID, 63)).toString('latin1', 0, 4)).toBe('tail')
})

test('an image of holes needs only the room of what is in it', async () => {
  const spec = await image('sparse.raw', '')
  await truncate(at('images', 'sparse.raw'), 8 * MIB)
  const images = driver({ room: async () => MIB })
  const made = images.create(ID, { ...spec, sha256: sha256(Buffer.alloc(8 * MIB)) }, never())
  expect(await made).toMatchObject({ sizeMiB: 8 })
})

test.each([
  ['an absolute path', () => at('images', 'a.raw')],
  ['a path relative to an allowed folder', () => 'a.raw'],
  ['a link that stays inside', () => at('images', 'link.raw')],
])('%s is a source', async (_, source) => {
  const spec = await image('a.raw', 'content')
  await symlink('a.raw', at('images', 'link.raw'))
  expect(await driver().create(ID, { ...spec, source: source() }, never())).toMatchObject({ imageSha256: spec.sha256 })
})

test.each([
  ['a file elsewhere', () => at('elsewhere', 'secret')],
  ['a file that is not there, elsewhere', () => at('elsewhere', 'gone')],
  ['a way out by ..', () => `${at('images')}/../elsewhere/secret`],
  ['a relative way out', () => '../elsewhere/secret'],
  ['a link that leads out', () => at('images', 'out.raw')],
  ['a file below a linked folder', () => at('images', 'outside', 'secret')],
  ['a folder', () => at('images', 'folder')],
  ['a device', () => '/dev/zero'],
  ['a file of another machine', () => 'file://other.example/images/a.raw'],
  ['a host that is not listed', () => 'https://evil.example/a.raw'],
  ['another port of a listed host', () => 'https://images.example:8443/a.raw'],
  ['a URL with a password in it', () => 'https://me:secret@images.example/a.raw'],
  ['another scheme', () => 'ftp://images.example/a.raw'],
])('%s is no source', async (_, source) => {
  await writeFile(at('elsewhere', 'secret'), 'content')
  await mkdir(at('images', 'folder'))
  await symlink(at('elsewhere', 'secret'), at('images', 'out.raw'))
  await symlink(at('elsewhere'), at('images', 'outside'))
  const made = driver().create(ID, { source: source(), sha256: sha256('content'), format: 'raw' }, never())
  await expect(made).rejects.toMatchObject({ code: 'SourceNotAllowed' })
  expect(await driver().list()).toEqual([])
})

test('a pipe holds up nothing', async () => {
  await systemProcesses().run('mkfifo', [at('images', 'pipe')])
  const made = driver().create(ID, { source: at('images', 'pipe'), sha256: sha256(''), format: 'raw' }, never())
  await expect(made).rejects.toMatchObject({ code: 'SourceNotAllowed' })
})

test('an image larger than is allowed is refused', async () => {
  const spec = await image('a.raw', Buffer.alloc(2 * MIB))
  const made = driver({ maxImageBytes: MIB }).create(ID, spec, never())
  await expect(made).rejects.toMatchObject({ code: 'ImageTooLarge' })
})

test('where there is no room nothing is written', async () => {
  const spec = await image('a.raw', Buffer.alloc(2 * MIB, 1))
  const made = driver({ room: async () => MIB }).create(ID, spec, never())
  await expect(made).rejects.toMatchObject({ code: 'DiskFull', message: '2 MiB wanted, 1 MiB left' })
  expect(await readdir(path.join(archives(), ID))).not.toContain('disk')
})

test('what a crash left half made is removed, and the disk is made anew', async () => {
  const spec = await image('a.raw', 'content')
  await mkdir(path.join(archives(), ID), { recursive: true })
  await writeFile(path.join(archives(), ID, '.disk.new'), 'half')
  const images = driver()
  expect(await images.list()).toEqual([])
  expect(await images.create(ID, spec, never())).toMatchObject({ imageSha256: spec.sha256 })
  expect((await readdir(path.join(archives(), ID))).sort()).toEqual(['disk', 'image'])
})

test('a failed one leaves no part of a disk', async () => {
  const spec = await image('a.raw', 'content')
  const images = driver()
  await images.create(ID, { ...spec, sha256: sha256('other') }, never()).catch(() => {})
  expect(await readdir(path.join(archives(), ID))).toEqual(['image'])
  expect(await images.disk(ID)).toBeUndefined()
})

test('a disk outlives the agent and says which image it was made from', async () => {
  const spec = await image('a.raw', 'content')
  const disk = await driver().create(ID, spec, never())
  expect(await driver().list()).toEqual([disk])
})

test('other things in the folder of archives are none of its disks', async () => {
  await mkdir(path.join(archives(), 'lost+found'), { recursive: true })
  await mkdir(path.join(archives(), 'b'.repeat(32)))
  await writeFile(path.join(archives(), 'b'.repeat(32), 'sidecar'), '{}')
  expect(await driver().list()).toEqual([])
})

test('zero chunks at the end of a disk that comes in take no room', async () => {
  const images = driver()
  for (let index = 0; index < 8; index++) await images.writeChunk(ID, index, new Uint8Array(CHUNK_BYTES))
  await images.writeChunk(ID, 8, new Uint8Array(100).fill(1))
  const { size, blocks } = await stat(path.join(archives(), ID, 'disk'))
  expect(size).toBe(8 * CHUNK_BYTES + 100)
  expect(blocks * 512).toBeLessThan(CHUNK_BYTES)
  expect(await images.readChunk(ID, 8)).toHaveLength(100)
  // A chunk that was written before is really overwritten.
  await images.writeChunk(ID, 8, new Uint8Array(100))
  expect(Buffer.from(await images.readChunk(ID, 8)).every((byte) => byte === 0)).toBe(true)
})

/** The header of an empty image of version 3. */
function qcow2(change: (header: Buffer) => void = () => {}): Buffer {
  const header = Buffer.alloc(512)
  header.write('QFI\xfb', 'latin1')
  header.writeUInt32BE(3, 4)
  change(header)
  return header
}

test('a qcow2 image stays what it is', async () => {
  const bytes = qcow2()
  const images = driver()
  await images.create(ID, await image('a.qcow2', bytes, 'qcow2'), never())
  expect(Buffer.from(await images.readChunk(ID, 0)).equals(bytes)).toBe(true)
})

test.each([
  ['has a backing file', qcow2((h) => h.writeBigUInt64BE(0x200n, 8))],
  ['has its data in another file', qcow2((h) => h.writeBigUInt64BE(4n, 72))],
  ['is encrypted', qcow2((h) => h.writeUInt32BE(2, 32))],
  ['is marked as corrupt', qcow2((h) => h.writeBigUInt64BE(2n, 72))],
  ['is qcow2 of version 4', qcow2((h) => h.writeUInt32BE(4, 4))],
  ['is not a qcow2 image', Buffer.from('QFI')],
  ['has half a header', qcow2().subarray(0, 80)],
])('a qcow2 image that %s is refused', async (why, bytes) => {
  const images = driver()
  const made = images.create(ID, await image('a.qcow2', bytes, 'qcow2'), never())
  await expect(made).rejects.toMatchObject({ code: 'ImageFormatRefused', message: expect.stringContaining(why) })
  expect(await images.list()).toEqual([])
})
