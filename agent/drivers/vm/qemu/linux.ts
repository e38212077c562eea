// QEMU on this host: makes its run folder and its process (section 8b).
import { spawn } from 'node:child_process'
import { chmod, chown, mkdir, open, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Clock } from '../../../../base/clock.ts'
import type { ArchiveId } from '../../../../protocol/ids.ts'
import type { VmSpec } from '../port.ts'
import { connectQmp } from '../qmp/client.ts'
import { type Accelerator, qemuArguments, runPaths } from './arguments.ts'
import { consoleLogIn, lastWordsOf, trimLog, wordsIn } from './logs.ts'
import { systemProcessTable } from './process-table.ts'
import type { QemuWorld } from './world.ts'

/** Numbers, because the name of a user says nothing that the kernel knows. */
export interface VmUser {
  uid: number
  gid: number
}

export interface LinuxQemuOptions {
  clock: Clock
  /** Console logs and QEMU's own words go to `consoles/` in it. */
  stateFolder: string
  runFolder: string
  /** undefined: as ourselves. */
  user(): VmUser | undefined
  accelerator(): Promise<Accelerator>
  program: string
}

/** Nothing of our own environment is QEMU's business. */
export const QEMU_ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' }

export function linuxQemu(options: LinuxQemuOptions): QemuWorld {
  const { clock, runFolder } = options
  const consoleLog = (id: ArchiveId) => consoleLogIn(options.stateFolder, id)
  const words = (id: ArchiveId) => wordsIn(options.stateFolder, id)

  const makeRunFolder = async (slot: number, user: VmUser | undefined): Promise<void> => {
    const { folder } = runPaths(runFolder, slot)
    // Passable for the VMs' users, readable for none of them.
    await mkdir(runFolder, { recursive: true, mode: 0o711 })
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { mode: 0o700 })
    await chmod(folder, 0o700)
    if (user) await chown(folder, user.uid, user.gid)
  }

  return {
    processes: systemProcessTable(),
    runFolder,
    async launch(spec: VmSpec) {
      const accelerator = await options.accelerator()
      const user = options.user()
      await makeRunFolder(spec.slot, user)
      await mkdir(path.dirname(words(spec.id)), { recursive: true, mode: 0o700 })
      const args = qemuArguments(spec, runPaths(runFolder, spec.slot), accelerator)
      const handles = await Promise.all([
        open(words(spec.id), 'w', 0o600),
        open(spec.disk, 'r+'),
        open(consoleLog(spec.id), 'a', 0o600),
      ])
      try {
        const [said, disk, log] = handles.map(({ fd }) => fd) as [number, number, number]
        // Fds 3 and 4 are DISK_FD and CONSOLE_LOG_FD.
        const child = spawn(options.program, args, {
          detached: true,
          cwd: '/',
          env: QEMU_ENV,
          stdio: ['ignore', said, said, disk, log],
          ...user,
        })
        await new Promise<void>((resolve, reject) => {
          child.once('spawn', resolve)
          child.once('error', reject)
        })
        child.unref()
        return child.pid as number
      } finally {
        await Promise.all(handles.map((handle) => handle.close()))
      }
    },
    async shutRunFolder(slot) {
      if (process.getuid?.() === 0) await chown(runPaths(runFolder, slot).folder, 0, 0)
    },
    connect: (slot, onEvent) => connectQmp({ path: runPaths(runFolder, slot).qmp, clock, onEvent }),
    lastWords: (id) => lastWordsOf(words(id)),
    trimLogs: (id) => trimLog(consoleLog(id)),
    hasDisk: ({ disk }) => stat(disk).then(() => true, absent),
    forget: async (id) => {
      for (const file of [consoleLog(id), `${consoleLog(id)}.1`, words(id)]) await rm(file, { force: true })
    },
  }
}

function absent(error: NodeJS.ErrnoException): false {
  if (error.code === 'ENOENT') return false
  throw error
}
