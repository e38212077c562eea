// Gathers the facts. Changes nothing: KVM is tried in a folder of its own under /tmp, the rest is read.
import { constants, existsSync } from 'node:fs'
import { access, mkdtemp, open, readdir, readFile, rm, stat, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { linuxCgroup } from '../../agent/drivers/cgroup/linux.ts'
import { kernelFiles } from '../../agent/drivers/kernel-files.ts'
import { askClockSync } from '../../agent/drivers/linux-host/clock-sync.ts'
import { psiSomeAvg10 } from '../../agent/drivers/linux-host/memory.ts'
import { chooseAccelerator, kvmGroup } from '../../agent/drivers/vm/qemu/accelerator.ts'
import type { AgentConfig } from '../../agent/main/config.ts'
import { isHub } from '../../agent/main/node-facts.ts'
import { NOBODY, userNamed } from '../../agent/main/user.ts'
import type { Clock } from '../../base/clock.ts'
import { diskFiles } from '../../base/disk-files.ts'
import type { PpnError } from '../../base/errors.ts'
import type { Processes } from '../../base/processes.ts'
import { validateFolder } from '../../stores/files/validate.ts'
import { checkStateFolder } from '../../stores/sqlite/state-folder.ts'
import { type Service, unitName } from '../service/units.ts'
import type { AuthorityFacts } from './authority.ts'
import type { MachineFacts } from './machine.ts'
import { missingCapabilities, type NodeFacts } from './node.ts'

interface Probe {
  processes: Processes
  clock: Clock
  env: Readonly<Record<string, string | undefined>>
}

const MIB = 1024 * 1024
const text = (file: string) => readFile(file, 'utf8').catch(() => '')
const lines = (output: string) => output.split('\n').filter((line) => line !== '')

async function said({ processes }: Probe, command: string, ...args: string[]): Promise<string | undefined> {
  const ran = await processes.run(command, args).catch(() => undefined)
  return ran?.exitCode === 0 ? ran.stdout : undefined
}

/** Listening sockets, from /proc/net (proc(5)): the local port is hexadecimal, TCP state 0A is LISTEN, UDP 07. */
export function listeningIn(protocol: 'tcp' | 'udp', table: string): string[] {
  const state = protocol === 'tcp' ? '0A' : '07'
  return lines(table)
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === state)
    .map((fields) => `${protocol} ${Number.parseInt(fields[1]?.split(':').at(-1) ?? '', 16)}`)
}

async function listening(): Promise<string[]> {
  const tables = (['tcp', 'udp'] as const).flatMap((protocol) =>
    ['', '6'].map(async (six) => listeningIn(protocol, await text(`/proc/net/${protocol}${six}`))),
  )
  return [...new Set((await Promise.all(tables)).flat())]
}

async function folderFacts(path: string): Promise<MachineFacts['state']> {
  let at = path
  while (!existsSync(at) && at !== dirname(at)) at = dirname(at)
  const [{ mode }, { type, bavail, bsize }] = await Promise.all([stat(at), statfs(at)])
  return { path, exists: at === path, mode, fileSystem: type, freeMiB: Math.floor((bavail * bsize) / MIB) }
}

/** Files directly in `folders` that others than their owner may touch. */
async function openFiles(folders: readonly string[]): Promise<{ path: string; mode: number }[]> {
  const all = folders.map(async (folder) => {
    const names = await readdir(folder).catch(() => [])
    return Promise.all(
      names.map(async (name) => ({ path: join(folder, name), mode: (await stat(join(folder, name))).mode })),
    )
  })
  return (await Promise.all(all)).flat().filter(({ mode }) => (mode & 0o077) !== 0 && (mode & 0o170000) === 0o100000)
}

async function machineFacts(probe: Probe, service: Service, state: string): Promise<MachineFacts> {
  const limit = async (name: string) => Number((await text(`/proc/sys/fs/inotify/max_user_${name}`)).trim())
  const unit = unitName(service)
  const [instances, watches] = await Promise.all([limit('instances'), limit('watches')])
  return {
    nodeVersion: process.version,
    systemd: existsSync('/run/systemd/system'),
    clockSynchronised: await askClockSync(probe.processes, kernelFiles()),
    inotify: instances > 0 ? { instances, watches } : undefined,
    state: await folderFacts(state),
    openKeys: await openFiles([join(state, 'keys')]),
    service: {
      installed: ['/etc/systemd/system', '/usr/lib/systemd/system'].some((folder) => existsSync(join(folder, unit))),
      active: (await said(probe, 'systemctl', 'is-active', unit))?.trim() === 'active',
    },
    listening: await listening(),
  }
}

async function onPath(probe: Probe, names: readonly string[]): Promise<Set<string>> {
  const folders = [...(probe.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin', '/bin']
  const there = await Promise.all(
    names.map(async (name) => {
      for (const folder of folders)
        if (
          await access(join(folder, name), constants.X_OK).then(
            () => true,
            () => false,
          )
        )
          return [name]
      return []
    }),
  )
  return new Set(there.flat())
}

async function tunRefusal(): Promise<string | undefined> {
  try {
    await (await open('/dev/net/tun', 'r+')).close()
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}

async function tryAccelerator(probe: Probe, vmUser: { uid: number; gid: number }): Promise<NodeFacts['accelerator']> {
  const runFolder = await mkdtemp(join(tmpdir(), 'ppn-doctor-'))
  try {
    const root = process.getuid?.() === 0
    const user = root ? { ...vmUser, gid: (await kvmGroup()) ?? vmUser.gid } : undefined
    return await chooseAccelerator({ clock: probe.clock, program: 'qemu-system-x86_64', runFolder, user })
  } finally {
    await rm(runFolder, { recursive: true, force: true })
  }
}

/** QEMU processes that an agent has started: by their name, `-name ppn-SLOT`. */
async function machines(): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [program = '', ...args] = (await text(`/proc/${pid}/cmdline`)).split('\0')
      return /qemu-system/.test(program) && /^ppn-\d+$/.test(args[args.indexOf('-name') + 1] ?? '') ? [Number(pid)] : []
    }),
  )
  return found.flat()
}

const NEEDED = ['ip', 'wg', 'wireguard-go', 'nft', 'qemu-system-x86_64', 'qemu-img']

export async function nodeFacts(probe: Probe, config: AgentConfig): Promise<NodeFacts> {
  const kernel = kernelFiles()
  const programs = await onPath(probe, NEEDED)
  const qemu = programs.has('qemu-system-x86_64') ? await said(probe, 'qemu-system-x86_64', '--version') : undefined
  const user = userNamed(config.vm.user, await text('/etc/passwd'))
  const names = (await readdir('/sys/class/net').catch(() => [])).filter((name) => /^ppn\d/.test(name))
  const tables = programs.has('nft') ? await said(probe, 'nft', 'list', 'tables') : undefined
  return {
    ...(await machineFacts(probe, 'agent', config.state)),
    uid: process.getuid?.() ?? -1,
    missingCapabilities: missingCapabilities(await text('/proc/self/status')),
    programs,
    kernelWireGuard:
      existsSync('/sys/module/wireguard') ||
      (await said(probe, 'modprobe', '--dry-run', '--quiet', 'wireguard')) !== undefined,
    tunRefusal: await tunRefusal(),
    qemuVersion: /version (\d+\.\d+\.\d+)/.exec(qemu ?? '')?.[1],
    accelerator: qemu === undefined ? undefined : await tryAccelerator(probe, user ?? NOBODY),
    cgroupRefusal: linuxCgroup({
      ...{ processes: probe.processes, kernel, clock: probe.clock, pidOf: async () => undefined },
    }).unavailable(),
    psi: psiSomeAvg10(await text('/proc/pressure/memory')) !== undefined,
    systemBus: existsSync('/run/dbus/system_bus_socket'),
    vmUser: { name: config.vm.user, exists: user !== undefined },
    imageFolders: config.images.folders.map((path) => ({ path, exists: existsSync(path) })),
    interfaces: await Promise.all(
      names.map(async (name) => ({
        name,
        forwarding: (await text(`/proc/sys/net/ipv4/conf/${name}/forwarding`)).trim() === '1',
      })),
    ),
    hub: await isHub(diskFiles(config.state)).catch(() => false),
    machines: await machines(),
    firewallTables: [...(tables ?? '').matchAll(/^table \w+ (ppn_\w+)$/gm)].map(([, name]) => name as string),
  }
}

export async function authorityFacts(probe: Probe, fleet: string, state: string): Promise<AuthorityFacts> {
  const exists = existsSync(fleet)
  const read = exists ? await validateFolder(fleet, probe.clock) : { objects: [], problems: [] }
  const secret = join(state, 'keys', 'operator.secret')
  return {
    ...(await machineFacts(probe, 'authority', state)),
    stateRefusal: refusalOf(state),
    fleet: {
      path: fleet,
      exists,
      fileSystem: exists ? (await statfs(fleet)).type : 0,
      objects: read.objects.length,
      errors: read.problems.filter(({ severity }) => severity === 'error').length,
      git: (await said(probe, 'git', '-C', fleet, 'rev-parse', '--is-inside-work-tree'))?.trim() === 'true',
    },
    operatorSecret: existsSync(secret) ? secret : undefined,
  }
}

function refusalOf(state: string): AuthorityFacts['stateRefusal'] {
  try {
    checkStateFolder(state)
    return undefined
  } catch (error) {
    const { message, hint } = error as PpnError
    return { message, hint }
  }
}
