// Stands in for exec(2), which Node lacks: the child gets our streams, our signals and decides our exit code.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'

const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2', 'SIGWINCH']

/**
 * Runs `file` and ends this process as the child ended. Resolves with the exit code when `exit` is false. With
 * `tether` the child has a channel to us and hears `disconnect` when we are killed: what cannot be caught cannot be
 * forwarded.
 */
export function execInstead(file, args, { env = process.env, cwd, exit = true, tether = false } = {}) {
  const stdio = tether ? ['inherit', 'inherit', 'inherit', 'ipc'] : 'inherit'
  const child = spawn(file, args, { stdio, env, cwd })
  // A terminal sends Ctrl-C to the whole group: the child has it already, and we only must not die before it.
  const forward = (signal) => {
    if (signal === 'SIGINT' && process.stdin.isTTY) return
    child.kill(signal)
  }
  for (const signal of FORWARDED) process.on(signal, forward)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      for (const s of FORWARDED) process.off(s, forward)
      const status = signal ? 128 + (constants.signals[signal] ?? 0) : (code ?? 1)
      if (exit) process.exit(status)
      resolve(status)
    })
  })
}
