// `ppn console ARCHIVE`: the serial console of a VM, on its own node and nowhere else (law 8).
import { readFile, stat } from 'node:fs/promises'
import net from 'node:net'
import type { VmConsole } from '../../agent/drivers/vm/qemu/consoles.ts'
import { PpnError } from '../../base/errors.ts'
import { holdAbstractLock } from '../../base/lock.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'

export interface ConsoleOptions {
  config?: string
  log?: boolean
  follow?: boolean
}

/** Ctrl-], as telnet and virsh have it. */
const ESCAPE = 0x1d
/** Of the log, shown before a person is attached. */
const CONTEXT_CHARS = 2_000
const FOLLOW_EVERY_MS = 250

export async function showConsole(io: Io, what: string, options: ConsoleOptions): Promise<ExitCode> {
  const [{ loadAgentConfig }, { consolesNamed, vmConsoles }] = await Promise.all([
    import('../../agent/main/config-file.ts'),
    import('../../agent/drivers/vm/qemu/consoles.ts'),
  ])
  const config = await loadAgentConfig(options.config)
  const all = await vmConsoles(config.state, config.run)
  const [found, ...others] = consolesNamed(all, what)
  if (!found)
    throw new CliError(
      EXIT.no,
      `this node has no virtual machine ${what}`,
      `it has: ${all.map(titleOf).join(', ') || 'none'}`,
    )
  if (others.length > 0)
    throw new CliError(EXIT.no, `${what} is several`, `say one of: ${[found, ...others].map(titleOf).join(', ')}`)
  if (options.log || options.follow) return printLog(io, found, options.follow ?? false)
  return attach(io, found)
}

const titleOf = ({ namespace, name }: VmConsole) => `${namespace}/${name}`

async function printLog(io: Io, { log }: VmConsole, follow: boolean): Promise<ExitCode> {
  io.out(await textOf(`${log}.1`))
  let shown = 0
  do {
    const bytes = await bytesOf(log)
    // It was begun anew: what is in it now is all new.
    if (bytes.length < shown) shown = 0
    io.out(bytes.subarray(shown).toString('utf8'))
    shown = bytes.length
    if (follow) await io.clock.sleep(FOLLOW_EVERY_MS, io.signal).catch(() => {})
  } while (follow && !io.signal.aborted)
  return EXIT.ok
}

const bytesOf = (file: string): Promise<Buffer> =>
  readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0)
    throw error
  })
const textOf = async (file: string): Promise<string> => (await bytesOf(file)).toString('utf8')

async function attach(io: Io, vm: VmConsole): Promise<ExitCode> {
  const title = titleOf(vm)
  // QEMU serves one at a time, and lets a second one wait without a word.
  const lock = await holdAbstractLock(`ppn-console:${vm.socket}`).catch((error) => {
    if (error instanceof PpnError && error.code === 'FileLocked')
      throw new CliError(
        EXIT.unavailable,
        `somebody is at the console of ${title}`,
        `ppn console ${title} --follow shows it too`,
      )
    throw error
  })
  try {
    const socket = await connect(vm).catch(() => {
      throw new CliError(
        EXIT.unavailable,
        `${title} does not run`,
        `ppn console ${title} --log shows what it last said`,
      )
    })
    io.err(`console of ${title}; Ctrl-] leaves\n`)
    io.out((await textOf(vm.log)).slice(-CONTEXT_CHARS))
    return await converse(io, socket)
  } finally {
    await lock.release()
  }
}

async function connect({ socket: path }: VmConsole): Promise<net.Socket> {
  await stat(path)
  const socket = net.createConnection({ path })
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return socket
}

/** Until Ctrl-], a signal, or the machine's end. */
async function converse(io: Io, socket: net.Socket): Promise<ExitCode> {
  const { stdin } = process
  const raw = stdin.isTTY === true
  const left = Promise.withResolvers<void>()
  const type = (bytes: Buffer) => {
    const { send, leave } = typed(bytes, raw)
    socket.write(send)
    if (leave) left.resolve()
  }
  socket.on('data', (bytes: Buffer) => io.out(bytes.toString('utf8')))
  socket.once('close', () => left.resolve())
  socket.on('error', () => left.resolve())
  io.signal.addEventListener('abort', () => left.resolve(), { once: true })
  if (raw) stdin.setRawMode(true)
  stdin.on('data', type)
  try {
    await left.promise
  } finally {
    stdin.off('data', type)
    if (raw) stdin.setRawMode(false)
    stdin.pause()
    const ended = socket.destroyed && !io.signal.aborted
    socket.destroy()
    io.err(ended ? '\nthe machine has ended\n' : '\n')
  }
  return EXIT.ok
}

/** What goes to the guest, and whether the person leaves: only a terminal has an escape, a pipe may hold any byte. */
export function typed(bytes: Buffer, terminal: boolean): { send: Buffer; leave: boolean } {
  const at = terminal ? bytes.indexOf(ESCAPE) : -1
  return at < 0 ? { send: bytes, leave: false } : { send: bytes.subarray(0, at), leave: true }
}
