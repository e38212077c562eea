// One guest under QEMU, without the VM driver: what is tested here is the image.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import path from 'node:path'
import { type GuestConsole, streamConsole } from '../../../hack/guest/console.ts'

export interface Machine {
  console: GuestConsole
  /** Presses the power button; resolves with the reason QEMU gives for the end, once the process is gone. */
  powerDown(): Promise<string>
  kill(): Promise<void>
}

const DEVICES = ['-device', 'virtio-balloon-pci', '-device', 'pvpanic']

/** Runs from the disk in `folder`, under TCG whatever the host can do. */
export function startMachine(folder: string, disk: string, format: 'raw' | 'qcow2', memoryMiB: number): Machine {
  const qmp = path.join(folder, 'qmp')
  const args = [
    '-nodefaults',
    '-no-user-config',
    '-display',
    'none',
    '-machine',
    'q35,accel=tcg',
    '-cpu',
    'max,la57=off',
  ]
  args.push('-m', String(memoryMiB), '-drive', `file=${disk},format=${format},if=virtio`, ...DEVICES)
  args.push('-no-reboot', '-serial', 'stdio', '-qmp', `unix:${qmp},server=on,wait=off`)
  const qemu = spawn('qemu-system-x86_64', args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(qemu, 'exit')
  return {
    console: streamConsole(qemu.stdout, qemu.stdin),
    async powerDown() {
      const reason = shutdownReason(qmp)
      await ended
      return reason
    },
    kill: () => kill(qemu, ended),
  }
}

async function shutdownReason(qmp: string): Promise<string> {
  const socket = createConnection(qmp)
  for (const execute of ['qmp_capabilities', 'system_powerdown']) socket.write(`${JSON.stringify({ execute })}\n`)
  let text = ''
  for await (const bytes of socket) text += bytes
  const found = /"event": "SHUTDOWN".*?"reason": "([^"]+)"/.exec(text)
  return found?.[1] ?? `no SHUTDOWN in: ${text}`
}

async function kill(qemu: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (qemu.exitCode !== null || qemu.signalCode !== null) return
  qemu.kill('SIGKILL')
  await ended
}
