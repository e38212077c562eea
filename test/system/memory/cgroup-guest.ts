// A guest with one processor and cgroup v2 in which our driver runs: this host may have cgroup v1. The driver is
// reached over the guest's console, one line a call.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CgroupDriver } from '../../../agent/drivers/cgroup/port.ts'
import { systemProcesses } from '../../../base/processes.ts'
import { type GuestConsole, streamConsole } from '../../../hack/guest/console.ts'
import { guestImage } from '../../../hack/guest/image.ts'
import { packDisk } from '../../../hack/guest/pack.ts'

const ROOT = path.resolve(fileURLToPath(import.meta.url), '../../../..')
/** Node needs this much to start, with room. */
const MEMORY_MIB = 768
const PACK_MIB = 256
/** Node under TCG on a busy machine. */
const START_MS = 180_000

export interface CgroupGuest {
  /** The driver in the guest. `unavailable` is what it said last. */
  driver: CgroupDriver
  /** One line to in-guest.ts. */
  ask(command: string): Promise<unknown>
  close(): Promise<void>
}

export async function cgroupGuest(): Promise<CgroupGuest> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'ppn-cgroup-'))
  const pack = path.join(folder, 'pack.ext4')
  await packDisk(
    systemProcesses(),
    { files: await filesOf(), programs: [process.execPath, '/bin/busybox'], sizeMiB: PACK_MIB },
    pack,
  )
  const { path: image } = await guestImage()
  const qemu = spawn(
    'qemu-system-x86_64',
    [
      ...['-accel', 'tcg', '-machine', 'q35', '-cpu', 'max,la57=off', '-smp', '1', '-m', String(MEMORY_MIB)],
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-serial', 'stdio'],
      ...['-drive', `file=${image},if=virtio,format=raw,snapshot=on`],
      ...['-drive', `file=${pack},if=virtio,format=raw,snapshot=on`],
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  const guest = streamConsole(qemu.stdout, qemu.stdin)
  const close = async () => {
    const gone = new Promise((resolve) => qemu.once('exit', resolve))
    if (qemu.exitCode === null && qemu.kill('SIGKILL')) await gone
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await guest.ready()
    guest.tell(`run ${process.execPath} --disable-warning=ExperimentalWarning /app/test/system/memory/in-guest.ts`)
    await guest.said(/in-guest ready/, START_MS)
  } catch (error) {
    await close()
    throw error
  }
  return { ...(await remote(guest)), close }
}

/** Every file of ours that in-guest.ts loads is in these; the packages that base/ needs are not loaded by it. */
async function filesOf(): Promise<Record<string, string>> {
  const folders = ['agent/drivers/cgroup', 'protocol/command', 'base']
  const files = ['agent/drivers/kernel-files.ts', 'test/system/memory/in-guest.ts', 'package.json']
  const packages = await closure('execa')
  return Object.fromEntries(
    [...folders, ...files, ...packages.map((name) => `node_modules/${name}`)].map((name) => [
      `/app/${name}`,
      path.join(ROOT, name),
    ]),
  )
}

/** A package and all that it depends on; what npm put below a package comes with it. */
async function closure(name: string, seen = new Set<string>(), folder = `node_modules/${name}`): Promise<string[]> {
  seen.add(name)
  const manifest = JSON.parse(await readFile(path.join(ROOT, folder, 'package.json'), 'utf8'))
  for (const dependency of Object.keys(manifest.dependencies ?? {})) {
    const below = `${folder}/node_modules/${dependency}`
    if (existsSync(path.join(ROOT, below))) await closure(name, seen, below)
    else if (!seen.has(dependency)) await closure(dependency, seen)
  }
  return [...seen]
}

async function remote(guest: GuestConsole): Promise<Omit<CgroupGuest, 'close'>> {
  const ask = async (command: string): Promise<unknown> => {
    const lines = await guest.ask(command)
    const answer = lines.findLast((line) => line.startsWith('answer '))
    if (answer === undefined) throw new Error(`${command}: no answer: ${lines.join(' / ')}`)
    return JSON.parse(answer.slice('answer '.length)) ?? undefined
  }
  let unavailable = (await ask('unavailable')) as string | undefined
  const driver: CgroupDriver = {
    weight: async (id) => (await ask(`weight ${id}`)) as number | undefined,
    setWeight: async (id, weight) => void (await ask(`set ${id} ${weight}`)),
    enter: async (id) => void (await ask(`enter ${id}`)),
    reserve: async (weight) => void (await ask(`reserve ${weight}`)),
    unavailable: () => unavailable,
  }
  return {
    driver,
    async ask(command) {
      const answer = await ask(command)
      if (command === 'unavailable') unavailable = answer as string | undefined
      return answer
    },
  }
}
