import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cpio, FILE, FOLDER, LINK } from './cpio.ts'
import { writeCommandLine, writeDisk } from './disk.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'ppn-disk-'))
})
afterEach(() => rm(folder, { recursive: true }))

const SECTOR = 512
/** 3 sectors of real-mode part beside the first, then `bytes` of kernel. */
function aKernel(bytes: number): Buffer {
  const kernel = Buffer.alloc(4 * SECTOR + bytes, 'k')
  kernel.writeUInt8(3, 0x1f1)
  kernel.write('HdrS', 0x202)
  return kernel
}
const parts = {
  loader: Buffer.alloc(300, 0x90),
  kernel: aKernel(10 * SECTOR),
  initrd: Buffer.from('first file system'),
  commandLine: 'quiet ppn.guest=willing',
  data: Buffer.alloc(2 * SECTOR, 'd'),
}

async function written(more: Partial<typeof parts> = {}): Promise<Buffer> {
  const file = path.join(folder, 'disk')
  const handle = await open(file, 'w')
  await writeDisk(handle, { ...parts, ...more }).finally(() => handle.close())
  expect((await stat(file)).blocks * SECTOR).toBeLessThan(1_048_576)
  return readFile(file)
}

/** What the boot sector's table says lies where: address in memory -> bytes. */
function loaded(disk: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>()
  for (let at = 0x180; disk.readUInt32LE(at + 4) !== 0; at += 12) {
    const [first, count, address] = [0, 4, 8].map((field) => disk.readUInt32LE(at + field)) as [number, number, number]
    found.set(address, disk.subarray(first * SECTOR, (first + count) * SECTOR))
  }
  return found
}

test('the boot sector says where the kernel, its command line and its first file system lie', async () => {
  const disk = await written()
  expect(disk.readUInt16LE(510)).toBe(0xaa55)
  const memory = loaded(disk)
  expect(memory.get(0x90000)).toHaveLength(4 * SECTOR)
  expect(memory.get(0x90000)?.readUInt32LE(0x21c)).toBe(parts.initrd.length)
  expect(memory.get(0x100000)?.toString()).toBe('k'.repeat(10 * SECTOR))
  expect(memory.get(0x9e000)?.toString('latin1', 0, 24)).toBe('quiet ppn.guest=willing\0')
  expect(memory.get(0x6000000)?.toString('latin1', 0, 18)).toBe('first file system\0')
})

test('the second partition is the data', async () => {
  const disk = await written()
  const [first, count] = [disk.readUInt32LE(0x1ce + 8), disk.readUInt32LE(0x1ce + 12)]
  expect(disk.subarray(first * SECTOR, (first + count) * SECTOR).equals(parts.data)).toBe(true)
  expect(disk).toHaveLength((first + count) * SECTOR)
})

test('another command line is another 512 bytes', async () => {
  const before = await written()
  const handle = await open(path.join(folder, 'disk'), 'r+')
  await writeCommandLine(handle, 'quiet ppn.guest=deaf').finally(() => handle.close())
  const after = await readFile(path.join(folder, 'disk'))
  expect(loaded(after).get(0x9e000)?.toString('latin1', 0, 21)).toBe('quiet ppn.guest=deaf\0')
  after.set(before.subarray(SECTOR, 2 * SECTOR), SECTOR)
  expect(after.equals(before)).toBe(true)
})

test.each([
  ['what is no kernel', { kernel: Buffer.alloc(4096) }, 'not a Linux kernel'],
  ['a loader that would run into the table', { loader: Buffer.alloc(385) }, '384 is the most'],
  ['a command line of a sector', { commandLine: 'x'.repeat(SECTOR) }, 'too long'],
  ['a kernel of 33 MiB', { kernel: aKernel(33 * 1_048_576) }, 'too big'],
])('%s is refused', async (_, more, why) => {
  await expect(written(more)).rejects.toThrow(why)
})

test('an archive has for each entry numbers, a name and its bytes, each padded to four', () => {
  const bytes = cpio([
    { path: 'bin', mode: FOLDER },
    { path: 'bin/a', mode: FILE, content: 'abcde' },
    { path: 'bin/b', mode: LINK, content: 'a' },
  ])
  const entries: { path: string; mode: number; content: string }[] = []
  const padded = (length: number) => Math.ceil(length / 4) * 4
  for (let at = 0; at < bytes.length; ) {
    expect(bytes.toString('latin1', at, at + 6)).toBe('070701')
    const field = (n: number) => Number.parseInt(bytes.toString('latin1', at + 6 + n * 8, at + 14 + n * 8), 16)
    const [mode, size, name] = [field(1), field(6), field(11)]
    const start = padded(at + 110 + name)
    entries.push({
      path: bytes.toString('latin1', at + 110, at + 109 + name),
      mode,
      content: bytes.toString('latin1', start, start + size),
    })
    at = padded(start + size)
  }
  expect(entries).toEqual([
    { path: 'bin', mode: FOLDER, content: '' },
    { path: 'bin/a', mode: FILE, content: 'abcde' },
    { path: 'bin/b', mode: LINK, content: 'a' },
    { path: 'TRAILER!!!', mode: 0, content: '' },
  ])
})
