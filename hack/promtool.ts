// promtool of Debian's package `prometheus`, taken out of it: installed, that package would run a server.
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Processes, runOk } from '../base/processes.ts'

/** A package list and 40 MiB on a slow day. */
const WITHIN_MS = 10 * 60_000

export interface PromtoolOptions {
  processes: Processes
  env?: NodeJS.ProcessEnv
  say(line: string): void
}

/** Path of promtool, fetched by apt when this machine has none of ours. apt checks Debian's signatures. */
export async function promtool({ processes, env = process.env, say }: PromtoolOptions): Promise<string> {
  const folder = join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'ppn', 'promtool')
  const program = join(folder, 'promtool')
  if (existsSync(program)) return program
  const making = `${folder}.${process.pid}`
  await mkdir(making, { recursive: true })
  const options = { cwd: making, timeoutMs: WITHIN_MS }
  try {
    say("fetching promtool from Debian's package prometheus, once a machine")
    const { stdout } = await processes.run('apt-cache', ['policy', 'prometheus'], options)
    if (!/Candidate: \d/.test(stdout)) await runOk(processes, 'apt-get', ['update', '-q'], options)
    await runOk(processes, 'apt-get', ['download', '-q', 'prometheus'], options)
    const [archive] = (await readdir(making)).filter((name) => name.endsWith('.deb'))
    if (archive === undefined) throw new Error('apt-get downloaded no package')
    await runOk(processes, 'dpkg-deb', ['-x', archive, 'unpacked'], options)
    await mkdir(folder, { recursive: true })
    await rename(join(making, 'unpacked/usr/bin/promtool'), program)
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  return program
}
