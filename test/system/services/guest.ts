// A Debian machine at work: QEMU, its console in a file, and a root shell over a socket.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { chooseAccelerator } from '../../../agent/drivers/vm/qemu/accelerator.ts'
import { cpuModel } from '../../../agent/drivers/vm/qemu/arguments.ts'
import { systemClock } from '../../../base/clock.ts'
import type { DebianMachine } from './debian.ts'

export interface Ran {
  code: number
  out: string
}

export interface Guest {
  /** Runs a line of bash as root. Rejects when it takes longer, with the end of the console. */
  sh(line: string, withinMs?: number): Promise<Ran>
  /** `sh`, rejecting with what it said when it fails. */
  must(line: string, withinMs?: number): Promise<string>
  /** Resolves when the line succeeds. */
  until(line: string, withinMs?: number): Promise<string>
  /** A reboot, as a person asks for it; resolves when the shell is there again. */
  reboot(): Promise<void>
  close(): Promise<void>
}

const MEMORY_MIB = 2048
/** 12 s without KVM on a machine of its own; minutes on one that others use. */
const BOOT_MS = 600_000
const LINE_MS = 60_000
/** kernel-command-line(7): after 90 s without its second disk, a starved machine would end in the emergency shell. */
const PATIENCE = 'systemd.default_device_timeout_sec=900'

export async function startGuest(machine: DebianMachine, second: string): Promise<Guest> {
  const folder = await mkdtemp(path.join(tmpdir(), 'ppn-machine-'))
  const consoleFile = path.join(folder, 'console')
  const socketFile = path.join(folder, 'shell')
  const { accelerator } = await chooseAccelerator({
    clock: systemClock(),
    program: 'qemu-system-x86_64',
    runFolder: folder,
    user: undefined,
  })
  const child: ChildProcess = spawn(
    'qemu-system-x86_64',
    [
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-machine', `q35,accel=${accelerator}`],
      ...['-cpu', accelerator === 'kvm' ? cpuModel('kvm') : 'Westmere', '-smp', '2', '-m', `${MEMORY_MIB}M`],
      ...['-kernel', machine.kernel, '-initrd', machine.initrd],
      ...['-append', `console=ttyS0 root=/dev/vda rw quiet net.ifnames=0 mitigations=off ${PATIENCE}`],
      ...['-drive', `file=${machine.disk},format=raw,if=virtio,snapshot=on`],
      ...['-drive', `file=${second},format=raw,if=virtio,readonly=on`],
      ...['-device', 'virtio-rng-pci', '-serial', `file:${consoleFile}`],
      ...['-chardev', `socket,id=shell,path=${socketFile},server=on,wait=off`, '-serial', 'chardev:shell'],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  let over = false
  child.once('exit', () => {
    over = true
  })
  let heard = ''
  let socket: Socket | undefined
  let number = 0
  const tail = async () => (await readFile(consoleFile, 'utf8').catch(() => '')).split('\n').slice(-25).join('\n')
  const wait = async (pattern: RegExp, withinMs: number): Promise<RegExpExecArray> => {
    for (const deadline = Date.now() + withinMs; ; await sleep(25)) {
      const found = pattern.exec(heard)
      if (found) return found
      if (over) throw new Error(`the machine ended: ${await tail()}`)
      if (Date.now() > deadline) throw new Error(`no ${pattern} within ${withinMs} ms; heard ${heard}\n${await tail()}`)
    }
  }
  const attach = async () => {
    for (;;) {
      const found = await new Promise<Socket | undefined>((resolve) => {
        const tried = connect(socketFile, () => resolve(tried))
        tried.once('error', () => resolve(undefined))
      })
      if (found) return found
      if (over) throw new Error(`QEMU does not start: ${await tail()}`)
      await sleep(50)
    }
  }
  /** The shell is there when it answers; until then what is written may be lost. */
  const ready = async () => {
    for (const deadline = Date.now() + BOOT_MS; ; ) {
      number++
      // A shell at a terminal prompts, and its prompts would be part of what a line said.
      socket?.write(`PS1= PS2=; echo up-$((${number}+0))-\n`)
      try {
        await wait(new RegExp(`up-${number}-`), 2_000)
        return
      } catch (error) {
        if (Date.now() > deadline || over) throw error
      }
    }
  }
  const sh = async (line: string, withinMs = LINE_MS): Promise<Ran> => {
    heard = ''
    number++
    socket?.write(`{ ${line}\n} </dev/null 2>&1; echo "<$((${number}+0)):$?>"\n`)
    const found = await wait(new RegExp(`^([^]*?)<${number}:(\\d+)>`), withinMs)
    return { out: found[1] as string, code: Number(found[2]) }
  }
  const guest: Guest = {
    sh,
    async must(line, withinMs) {
      const { code, out } = await sh(line, withinMs)
      if (code !== 0) throw new Error(`${line}: ${code}\n${out}`)
      return out
    },
    async until(line, withinMs = LINE_MS) {
      for (const deadline = Date.now() + withinMs; ; await sleep(500)) {
        const { code, out } = await sh(line)
        if (code === 0) return out
        if (Date.now() > deadline) throw new Error(`${line} did not come true within ${withinMs} ms:\n${out}`)
      }
    },
    async reboot() {
      const bootId = async () => (await sh('cat /proc/sys/kernel/random/boot_id')).out
      const before = await bootId()
      socket?.write('systemctl reboot\n')
      // The shell answers for a while, and what it is asked while it goes is lost.
      for (let now = before; now === before; now = await bootId().catch(() => before)) await ready()
    },
    async close() {
      child.kill('SIGKILL')
      while (!over) await sleep(20)
      socket?.destroy()
      await rm(folder, { recursive: true, force: true })
    },
  }
  try {
    socket = await attach()
    socket.on('data', (bytes) => {
      heard += bytes.toString('utf8')
    })
    await ready()
    return guest
  } catch (error) {
    await guest.close()
    throw error
  }
}
