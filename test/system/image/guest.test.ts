// The tiny archive image, as an archive: its disk made by the image driver, started, used, shut down, started again.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fileImages } from '../../../agent/drivers/image/files.ts'
import type { DiskInfo } from '../../../agent/drivers/image/port.ts'
import { systemClock } from '../../../base/clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { runOk, systemProcesses } from '../../../base/processes.ts'
import { buildGuest } from '../../../hack/guest/build.ts'
import { guestImage, guestImages } from '../../../hack/guest/image.ts'
import { wantedPackages } from '../../../hack/guest/packages.ts'
import { VARIANTS } from '../../../hack/guest/variants.ts'
import type { Digest } from '../../../protocol/ids.ts'
import { type Machine, startMachine } from './machine.ts'

const processes = systemProcesses()
const MEMORY_MIB = 512
let root: string
let disk: DiskInfo
let machine: Machine

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'ppn-guest-'))
  const image = await guestImage('willing')
  const images = fileImages({
    folder: path.join(root, 'archives'),
    allowedFolders: [path.dirname(image.path)],
    allowedHosts: [],
    clock: systemClock(),
    log: silentLogger(),
  })
  const spec = { source: `file://${image.path}`, sha256: image.sha256 as Digest, format: image.format }
  disk = await images.create('a'.repeat(32), spec, new AbortController().signal)
}, 600_000)
afterAll(async () => {
  await machine?.kill()
  await rm(root, { recursive: true, force: true })
})

const boot = async (file: string, format: 'raw' | 'qcow2' = 'raw') => {
  const beganMs = performance.now()
  machine = startMachine(root, file, format, MEMORY_MIB)
  const uptime = await machine.console.ready()
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(1)
  process.stdout.write(`${format} guest up under TCG ${seconds} s after QEMU's start, ${uptime} s of it the kernel's\n`)
}
const stats = async () => {
  const [line] = await machine.console.ask('stats')
  const figure = (name: string) => Number(new RegExp(` ${name}=(\\d+)`).exec(line as string)?.[1])
  return { held: figure('held'), available: figure('available'), total: figure('total') }
}

test('it boots from the disk made of it', async () => {
  await boot(disk.path)
  const { total } = await stats()
  expect(total).toBeGreaterThan(MEMORY_MIB * 0.85)
})

test('it holds as much memory as it is told', async () => {
  const before = await stats()
  await machine.console.ask('use 200')
  const used = await stats()
  expect(used.held).toBe(200)
  expect(before.available - used.available).toBeGreaterThan(190)
  await machine.console.ask('use 50')
  expect((await stats()).held).toBe(50)
  await machine.console.ask('free')
  expect(before.available - (await stats()).available).toBeLessThan(20)
})

test('it obeys the power button, leaves its file system clean, and finds what it wrote', async () => {
  await machine.console.ask('write kept yes')
  expect(await machine.powerDown()).toBe('guest-shutdown')
  await boot(disk.path)
  expect(await machine.console.ask('read kept')).toEqual(['yes'])
  expect(await machine.console.ask('sh dmesg | grep -c recover || true')).toEqual(['0'])
  expect(await machine.powerDown()).toBe('guest-shutdown')
})

test('as qcow2 it boots as well', async () => {
  const file = path.join(root, 'guest.qcow2')
  await runOk(processes, 'qemu-img', ['convert', '-O', 'qcow2', (await guestImage('willing')).path, file])
  await boot(file, 'qcow2')
  expect(await machine.powerDown()).toBe('guest-shutdown')
})

test('built again from the same packages every variant has the same bytes', async () => {
  const kept = await guestImages()
  const folder = path.join(root, 'again')
  await mkdir(folder)
  const again = await buildGuest(processes, await wantedPackages(processes), folder)
  for (const variant of VARIANTS) expect(again[variant].sha256, variant).toBe(kept[variant].sha256)
  expect(new Set(VARIANTS.map((variant) => again[variant].sha256)).size).toBe(VARIANTS.length)
})
