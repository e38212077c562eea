// A person's own command on a host of the lab, on the terminal they sit at.
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Lab } from './lab.ts'
import { REPOSITORY } from './repository.ts'

/** Resolves with the command's exit code. */
export async function shell(lab: Lab, host: string, command: readonly string[]): Promise<number> {
  const bin = join(lab.folder, 'bin')
  mkdirSync(bin, { recursive: true })
  const quoted = [process.execPath, join(REPOSITORY, 'cli', 'main.ts')].map((word) => `'${word}'`)
  writeFileSync(join(bin, 'ppn'), `#!/bin/sh\nexec ${quoted.join(' ')} "$@"\n`, { mode: 0o755 })
  const [program = process.env.SHELL ?? '/bin/sh', ...args] = command
  const child = lab.network.host(host).spawn(program, args, {
    stdio: 'inherit',
    env: {
      ...process.env,
      PATH: [bin, process.env.PATH ?? '', '/usr/sbin', '/sbin'].join(delimiter),
      PPN_STATE: lab.fleet.paths.state,
      PS1: `${host} \\$ `,
    },
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  return code ?? (signal === 'SIGINT' ? 130 : 1)
}
