// KVM where it really runs, else TCG: tried, once an agent's life, as the user the VMs have (section 8b).
import { spawn } from 'node:child_process'
import { chown, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Clock } from '../../../../base/clock.ts'
import { type Accelerator, cpuModel } from './arguments.ts'
import { QEMU_ENV, type VmUser } from './linux.ts'
import { PROBE_EXIT_CODE, probeRom } from './probe-rom.ts'

/** 0.2 s where it works; a host that is out of breath gets more. */
const PROBE_LIMIT_MS = 5_000
const KVM = '/dev/kvm'

export interface AcceleratorChoice {
  accelerator: Accelerator
  /** For people: what was tried and what came of it. */
  because: string
}

/** Which group may use KVM, where it is a group's; a VM's process gets it in place of its own. */
export async function kvmGroup(): Promise<number | undefined> {
  const device = await stat(KVM).catch(() => undefined)
  return device && device.gid !== 0 && (device.mode & 0o060) === 0o060 ? device.gid : undefined
}

/** Never rejects: whatever goes wrong with KVM leaves TCG. */
export async function chooseAccelerator(options: {
  clock: Clock
  program: string
  runFolder: string
  user: VmUser | undefined
}): Promise<AcceleratorChoice> {
  if (!(await stat(KVM).catch(() => undefined))) return { accelerator: 'tcg', because: `there is no ${KVM}` }
  try {
    const exitCode = await runProbe(options)
    if (exitCode === PROBE_EXIT_CODE) return { accelerator: 'kvm', because: `${KVM} runs 64-bit code` }
    return { accelerator: 'tcg', because: `QEMU with KVM ended with exit code ${exitCode}` }
  } catch (error) {
    return { accelerator: 'tcg', because: error instanceof Error ? error.message : String(error) }
  }
}

async function runProbe(options: Parameters<typeof chooseAccelerator>[0]): Promise<number | null> {
  const { clock, user } = options
  await mkdir(options.runFolder, { recursive: true, mode: 0o711 })
  const folder = await mkdtemp(path.join(options.runFolder, 'probe-'))
  try {
    const rom = path.join(folder, 'rom')
    await writeFile(rom, probeRom(), { mode: 0o444 })
    if (user) await chown(folder, user.uid, user.gid)
    const args = [
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-machine', 'q35,accel=kvm', '-m', '16M'],
      // As VMs are run: there are hosts whose KVM runs code, but cannot show a guest the host's own processor.
      ...['-cpu', cpuModel('kvm')],
      ...['-bios', rom, '-device', 'isa-debug-exit,iobase=0x501,iosize=1'],
    ]
    const child = spawn(options.program, args, { stdio: 'ignore', env: QEMU_ENV, cwd: '/', ...user })
    const timer = clock.after(PROBE_LIMIT_MS, () => child.kill('SIGKILL'))
    try {
      return await new Promise<number | null>((resolve, reject) => {
        child.once('error', reject)
        child.once('exit', (code, signal) =>
          signal === 'SIGKILL'
            ? reject(new Error(`${KVM} opens, but ran no 64-bit code within ${PROBE_LIMIT_MS} ms`))
            : signal
              ? reject(new Error(`${KVM} opens, but QEMU with it ended by ${signal}`))
              : resolve(code),
        )
      })
    } finally {
      timer.cancel()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
