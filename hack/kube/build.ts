// Builds the programs of go.mod once a machine, into a folder named by what they were built from.
import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { holdAbstractLock } from '../../base/lock.ts'
import { type Processes, runOk } from '../../base/processes.ts'
import { KSTATUS } from './kstatus.ts'
import { LUA } from './lua.ts'
import { buildId, HERE, kubernetesVersion, linkerFlags, PROGRAMS, type Program } from './release.ts'
import { moduleId } from './small.ts'

/** Where Go unpacks itself when it is not on PATH (go.dev/doc/install). */
const GO_ELSEWHERE = '/usr/local/go/bin'
/** A thousand packages on one slow processor. */
const BUILD_WITHIN_MS = 60 * 60_000
const LOCK_EVERY_MS = 500

export type Programs = Readonly<Record<Program, string>>

/** Outside the repository, so that a clean clone finds what another has built. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'ppn', 'kube')
}

const inFolder = (folder: string): Programs =>
  Object.fromEntries(Object.keys(PROGRAMS).map((name) => [name, join(folder, name)])) as Programs

export interface BuildOptions {
  processes: Processes
  env?: NodeJS.ProcessEnv
  say(line: string): void
}

/** One Go module and what is built of it. */
interface Module {
  /** Names everything that its build depends on. */
  id: string
  /** Folder of its go.mod. */
  cwd: string
  /** For a person, what takes so long. */
  of: string
  /** Package by name of the program. */
  programs: Readonly<Record<string, string>>
  ldflags: string
}

/** Paths of the programs, built first when this machine has none of this release. Two at once build once. */
export async function kubePrograms(options: BuildOptions): Promise<Programs> {
  const version = kubernetesVersion()
  const ldflags = linkerFlags(version)
  const module: Module = { id: buildId(), cwd: HERE, of: `Kubernetes ${version}`, programs: PROGRAMS, ldflags }
  return inFolder(await built(module, options))
}

/** Path of the program that says what kstatus makes of objects, built like those. */
export const kstatusProgram = (options: BuildOptions): Promise<string> =>
  smallProgram('kstatus', KSTATUS, 'cli-utils', options)

/** Path of the program that runs a health script of Argo CD, built like those. */
export const luaProgram = (options: BuildOptions): Promise<string> => smallProgram('lua', LUA, 'gopher-lua', options)

async function smallProgram(name: string, cwd: string, of: string, options: BuildOptions): Promise<string> {
  const module: Module = { id: moduleId(cwd), cwd, of, programs: { [name]: '.' }, ldflags: '-s -w' }
  return join(await built(module, options), name)
}

/** The folder with the module's programs. */
async function built(module: Module, options: BuildOptions): Promise<string> {
  const cache = cacheFolder(options.env)
  const folder = join(cache, module.id)
  if (existsSync(folder)) return folder
  const lock = await lockWhenFree(`ppn-kube-build ${folder}`, options.say)
  try {
    if (!existsSync(folder)) await buildInto(cache, folder, module, options)
  } finally {
    await lock.release()
  }
  return folder
}

async function lockWhenFree(name: string, say: BuildOptions['say']) {
  for (let first = true; ; first = false) {
    try {
      return await holdAbstractLock(name)
    } catch {
      if (first) say('another build of the API server is under way, waiting for it')
      await new Promise((resolve) => setTimeout(resolve, LOCK_EVERY_MS))
    }
  }
}

async function buildInto(cache: string, folder: string, module: Module, options: BuildOptions) {
  const { processes, say, env = process.env } = options
  const making = `${folder}.${process.pid}`
  await rm(making, { recursive: true, force: true })
  await mkdir(making, { recursive: true })
  const goEnv = {
    PATH: `${env.PATH ?? ''}:${GO_ELSEWHERE}`,
    // Pure Go, so that a machine without a C compiler builds the same programs.
    CGO_ENABLED: '0',
    // The machine's Go, never one that go.mod would have it fetch.
    GOTOOLCHAIN: 'local',
    GOCACHE: join(cache, `go-build-${module.id}`),
  }
  try {
    for (const [name, pkg] of Object.entries(module.programs)) {
      const began = Date.now()
      say(`building ${name} of ${module.of}; minutes, once a machine`)
      const args = ['build', '-trimpath', '-ldflags', module.ldflags, '-o', join(making, name), pkg]
      await runOk(processes, 'go', args, { cwd: module.cwd, env: goEnv, timeoutMs: BUILD_WITHIN_MS })
      say(`built ${name} in ${Math.round((Date.now() - began) / 1000)} s`)
    }
    await rename(making, folder)
  } finally {
    await rm(making, { recursive: true, force: true })
  }
  // Gigabytes of intermediate results: only a change of release would use them.
  await rm(goEnv.GOCACHE, { recursive: true, force: true })
}
