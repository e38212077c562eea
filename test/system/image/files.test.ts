// The image driver and what only a real system does: full file systems, kills, images made by qemu-img.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fileImages } from '../../../agent/drivers/image/files.ts'
import type { ImageSpec } from '../../../agent/drivers/image/port.ts'
import { systemClock } from '../../../base/clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { runOk, systemProcesses } from '../../../base/processes.ts'
import type { Digest } from '../../../protocol/ids.ts'

const ID = 'a'.repeat(32)
const MIB = 1_048_576
const processes = systemProcesses()
const PROCESS = path.join(import.meta.dirname, 'driver-process.ts')

let root: string
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'ppn-image-files-'))
  await mkdir(path.join(root, 'images'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

const at = (...names: string[]) => path.join(root, ...names)
const driver = () =>
  fileImages({
    folder: at('archives'),
    allowedFolders: [at('images')],
    allowedHosts: [],
    clock: systemClock(),
    log: silentLogger(),
  })
const never = () => new AbortController().signal

async function declared(file: string, format: ImageSpec['format']): Promise<ImageSpec> {
  const digest = createHash('sha256').update(await readFile(file))
  return { source: `file://${file}`, sha256: digest.digest('hex') as Digest, format }
}

async function rawImage(mib: number): Promise<ImageSpec> {
  await writeFile(at('images', 'a.raw'), Buffer.alloc(mib * MIB, 'content'))
  return declared(at('images', 'a.raw'), 'raw')
}

const order = (folder: string, image: ImageSpec, blind = false) =>
  JSON.stringify({ folder, allowedFolder: at('images'), id: ID, image, blind })

test.each([
  ['said beforehand', false],
  ['found out in the middle', true],
])('a full file system is DiskFull, %s, and what was written is gone', async (_, blind) => {
  const image = await rawImage(24)
  // A file system of 16 MiB that is there for this process alone, and goes with it.
  const small = at('small')
  await mkdir(small)
  const script = 'mount -t tmpfs -o size=16m small "$0" && "$1" "$2" "$3" && df --output=used -B1M "$0" | tail -1'
  const args = ['-m', '--propagation', 'private', 'sh', '-c', script, small, process.execPath, PROCESS]
  const [said, used] = (
    await runOk(processes, 'unshare', [...args, order(path.join(small, 'archives'), image, blind)], {
      timeoutMs: 120_000,
    })
  ).split('\n')
  expect(JSON.parse(said as string)).toEqual({ outcome: 'DiskFull', listed: [] })
  // The note and the folders; df rounds up.
  expect(Number(used)).toBeLessThanOrEqual(1)
})

test('killed in the middle it leaves no disk, and the next one makes it whole', async () => {
  // Holes cost nothing to copy but must be hashed: long enough to be killed in.
  await writeFile(at('images', 'a.raw'), 'content')
  await truncate(at('images', 'a.raw'), 4096 * MIB)
  const image = { source: at('images', 'a.raw'), sha256: 'f'.repeat(64) as Digest, format: 'raw' as const }
  const victim = spawn(process.execPath, [PROCESS, order(at('archives'), image, true)], { stdio: 'ignore' })
  const ended = once(victim, 'exit')
  const half = at('archives', ID, '.disk.new')
  while (!existsSync(half) && victim.exitCode === null) await sleep(5)
  victim.kill('SIGKILL')
  expect(await ended).toEqual([null, 'SIGKILL'])
  expect(existsSync(half)).toBe(true)
  expect(await driver().list()).toEqual([])
  const disk = await driver().create(ID, await rawImage(2), never())
  expect(disk.sizeMiB).toBe(2)
  expect(existsSync(half)).toBe(false)
})

test('a qcow2 image of qemu-img becomes a disk that qemu-img finds sound and equal', async () => {
  await rawImage(3)
  const file = at('images', 'a.qcow2')
  await runOk(processes, 'qemu-img', ['convert', '-O', 'qcow2', at('images', 'a.raw'), file])
  const disk = await driver().create(ID, await declared(file, 'qcow2'), never())
  await runOk(processes, 'qemu-img', ['check', '-f', 'qcow2', disk.path])
  await runOk(processes, 'qemu-img', ['compare', '-f', 'raw', '-F', 'qcow2', at('images', 'a.raw'), disk.path])
  expect((await stat(disk.path)).mode & 0o777).toBe(0o600)
})

test.each([
  ['has a backing file', ['-b', 'a.raw', '-F', 'raw']],
  ['has its data in another file', ['-o', 'data_file=data.raw']],
])('a qcow2 image of qemu-img that %s is refused', async (why, more) => {
  await rawImage(3)
  await runOk(processes, 'qemu-img', ['create', '-f', 'qcow2', ...more, 'a.qcow2', '3M'], { cwd: at('images') })
  const made = driver().create(ID, await declared(at('images', 'a.qcow2'), 'qcow2'), never())
  await expect(made).rejects.toMatchObject({ code: 'ImageFormatRefused', message: expect.stringContaining(why) })
  expect(await driver().list()).toEqual([])
})
