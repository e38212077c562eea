// A host of the lab: a network namespace with a private /run (hence /var/run/wireguard and /run/ppn) and, if wanted,
// names of its own in /etc/hosts. One process that sleeps holds it; there is no file and no mount outside of it, so
// that nothing is left of it once its processes have ended.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { PpnError } from '../../base/errors.ts'
import type { Processes } from '../../base/processes.ts'
import { type LabMark, markEnv } from './marks.ts'

export interface Namespace {
  /** Its host name inside, and how messages call it. */
  readonly name: string
  /** Of the holder, as `ip link set DEV netns PID` and nsenter(1) take it. */
  readonly pid: number
  /** Runs programs inside. A `cwd` must exist inside as well; there is none by default but `/`. */
  readonly processes: Processes
  /** The command line that does the same from a shell. */
  command(program: string, args?: readonly string[]): [string, ...string[]]
  /** Starts a program inside that goes on. The child's pid is the program's own. */
  spawn(program: string, args: readonly string[], options?: SpawnOptions): ChildProcess
}

interface Place {
  /** Runs nsenter(1). */
  processes: Processes
  mark: LabMark
  name: string
}

/** A slow machine with a hundred namespaces under way; unshare(1) itself takes milliseconds. */
const READY_WITHIN_MS = 30_000
/** nsenter(1) ends with this when the program is not there. */
const NOT_FOUND = 127

/**
 * What the holder does before it sleeps. Mounts are private to it: unshare(1) makes propagation private. $0 is the
 * host name, $1 lines for /etc/hosts. A bind mount needs a source file, which a tmpfs provides.
 */
const HOLDER = `set -e
hostname "$0"
mount -t tmpfs -o mode=0755,size=64m tmpfs /run
mkdir -p -m 0755 /run/wireguard /run/ppn /run/lock
if [ -n "$1" ]; then
  { cat /etc/hosts; printf '%s' "$1"; } > /run/hosts
  mount --bind /run/hosts /etc/hosts
fi
ip link set lo up
echo ready
exec sleep infinity`

/** Rejects when the machine does not let us, e.g. without root, with what it said. `hosts`: name -> address. */
export async function makeNamespace(options: Place & { hosts?: Readonly<Record<string, string>> }): Promise<Namespace> {
  const { name, mark } = options
  const lines = Object.entries(options.hosts ?? {}).map(([host, address]) => `${address} ${host}\n`)
  const args = ['--net', '--mount', '--uts', '--propagation', 'private', '/bin/sh', '-c', HOLDER, name, lines.join('')]
  const holder = spawn('unshare', args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, ...markEnv(mark) },
  })
  await ready(holder, name)
  return attachNamespace({ ...options, pid: holder.pid as number })
}

/** The namespace of a holder that is there already. */
export function attachNamespace({ processes: outside, mark, name, pid }: Place & { pid: number }): Namespace {
  const env = markEnv(mark)
  const inside = (cwd: string) => ['--target', String(pid), '--net', '--mount', '--uts', `--wdns=${cwd}`, '--']
  return {
    name,
    pid,
    command: (program, rest = []) => ['nsenter', ...inside('/'), program, ...rest],
    spawn: (program, rest, { cwd, ...more } = {}) =>
      spawn('nsenter', [...inside(String(cwd ?? '/')), program, ...rest], {
        ...more,
        env: { ...(more.env ?? process.env), ...env },
      }),
    processes: {
      async run(program, rest, { cwd, ...more } = {}) {
        const ran = await outside.run('nsenter', [...inside(cwd ?? '/'), program, ...rest], {
          ...more,
          env: { ...more.env, ...env },
        })
        if (ran.exitCode === NOT_FOUND && /^nsenter: failed to execute/.test(ran.stderr))
          throw new PpnError('ProgramMissing', { command: program })
        return ran
      },
    },
  }
}

function ready(holder: ChildProcess, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = ''
    const settle = (done: () => void) => {
      clearTimeout(timer)
      holder.removeAllListeners('error').removeAllListeners('exit')
      // The holder outlives us, and must not keep our event loop.
      holder.stdout?.destroy()
      holder.stderr?.destroy()
      holder.unref()
      done()
    }
    const fail = (why: string) => settle(() => reject(new Error(`no namespace for ${name}: ${why}`)))
    const timer = setTimeout(() => {
      holder.kill('SIGKILL')
      fail(`not ready within ${READY_WITHIN_MS} ms`)
    }, READY_WITHIN_MS)
    holder.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    holder.once('error', (error) => fail(error.message))
    holder.once('exit', () => fail(said.trim()))
    if (holder.stdout) createInterface({ input: holder.stdout }).once('line', () => settle(resolve))
  })
}
