// A node's folders for real virtual machines, and guests to put into them. Everything of it goes with `close`.
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, copyFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { VmSpec, VmState } from '../../../agent/drivers/vm/port.ts'
import { systemProcessTable } from '../../../agent/drivers/vm/qemu/process-table.ts'
import { type QemuVms, qemuVm } from '../../../agent/drivers/vm/qemu.ts'
import { systemClock } from '../../../base/clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { type GuestVariant, guestImages } from '../../../hack/guest/image.ts'
import { NOBODY } from './nobody.ts'

const CLOCK = systemClock()
/** Looked for once a run: asking apt each time would take longer than some tests. */
const IMAGES = guestImages()
IMAGES.catch(() => {})

const WAIT_MS = 60_000

export interface VmHost {
  stateFolder: string
  runFolder: string
  /** A new driver: an agent that has just started. The one before must be closed, or its process dead. */
  driver(): QemuVms
  /** A VM with a disk of its own, in the next slot. */
  spec(variant: GuestVariant, given?: Partial<VmSpec>): Promise<VmSpec>
  consoleLog(spec: VmSpec): Promise<string>
  /** Kills whatever runs still, and removes the folders. */
  close(): Promise<void>
}

export async function vmHost(): Promise<VmHost> {
  const root = await mkdtemp(path.join(os.tmpdir(), 'ppn-vm-'))
  await chmod(root, 0o711)
  const stateFolder = path.join(root, 'state')
  const runFolder = path.join(root, 'run')
  const drivers: QemuVms[] = []
  let slot = 0
  return {
    stateFolder,
    runFolder,
    driver() {
      const made = qemuVm({
        clock: CLOCK,
        log: silentLogger(),
        stateFolder,
        runFolder,
        user: NOBODY,
        accelerator: 'tcg',
      })
      drivers.push(made)
      return made
    },
    async spec(variant, given = {}) {
      slot++
      const id = randomBytes(16).toString('hex')
      const disk = path.join(root, `${id}.disk`)
      await copyFile((await IMAGES)[variant].file, disk, constants.COPYFILE_FICLONE)
      // As the image driver makes them: for root alone.
      await chmod(disk, 0o600)
      return { id, slot, disk, format: 'raw', vcpus: 1, floorMiB: 128, maxMiB: 512, ...given }
    },
    consoleLog: ({ id }) => readFile(path.join(stateFolder, 'consoles', `${id}.log`), 'utf8'),
    async close() {
      for (const driver of drivers) driver.close()
      await killAll(runFolder)
      await rm(root, { recursive: true, force: true })
    },
  }
}

/** QEMUs of this run folder, and of no other. */
async function killAll(runFolder: string): Promise<void> {
  const table = systemProcessTable()
  for (const { pid, args } of await table.argumentLists()) {
    if (args[0] === 'qemu-system-x86_64' && args.some((arg) => arg.includes(`path=${runFolder}/`)))
      process.kill(pid, 'SIGKILL')
  }
}

export async function until<T>(look: () => Promise<T>, check: (seen: T) => boolean, withinMs = WAIT_MS): Promise<T> {
  const lastMs = CLOCK.monotonic() + withinMs
  for (;;) {
    const seen = await look()
    if (check(seen)) return seen
    if (CLOCK.monotonic() > lastMs) throw new Error(`not within ${withinMs} ms; last seen: ${JSON.stringify(seen)}`)
    await CLOCK.sleep(50)
  }
}

export async function stateOf(driver: QemuVms, { id }: VmSpec): Promise<VmState> {
  const found = (await driver.list()).find((vm) => vm.id === id)
  if (!found) throw new Error(`${id} is not listed`)
  return found
}

export async function boot(driver: QemuVms, spec: VmSpec): Promise<void> {
  await driver.start(spec)
  await until(
    () => stateOf(driver, spec),
    ({ lifecycle }) => lifecycle === 'running',
  )
}
