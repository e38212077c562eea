// The contestants that are not ours, built once a machine outside the repository.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { holdAbstractLock } from '../../../base/lock.ts'
import { type Processes, runOk } from '../../../base/processes.ts'
import { cacheFolder } from '../../../hack/kube/build.ts'

const WITHIN_MS = 30 * 60_000
/** Where Go unpacks itself when it is not on PATH (go.dev/doc/install). */
const GO_ELSEWHERE = '/usr/local/go/bin'

interface Recipe {
  /** Folder beside this file. */
  folder: string
  /** What the result depends on. */
  files: readonly string[]
  /** Of the result, inside its folder. */
  program: string
  build(into: string, from: string, processes: Processes): Promise<void>
}

const CONTROLLER_RUNTIME: Recipe = {
  folder: 'controller-runtime',
  files: ['go.mod', 'go.sum', 'main.go', 'archive.go', 'command.go'],
  program: 'bench',
  async build(into, from, processes) {
    const cache = join(into, 'go-build')
    const env = {
      PATH: `${process.env.PATH ?? ''}:${GO_ELSEWHERE}`,
      CGO_ENABLED: '0',
      // The machine's Go, never one that go.mod would have it fetch.
      GOTOOLCHAIN: 'local',
      GOCACHE: cache,
    }
    const args = ['build', '-trimpath', '-ldflags', '-s -w', '-o', join(into, 'bench'), '.']
    await runOk(processes, 'go', args, { cwd: from, env, timeoutMs: WITHIN_MS })
    await rm(cache, { recursive: true, force: true })
  },
}

const FLUENT_CLIENT: Recipe = {
  folder: 'fluent-client',
  files: ['package.json', 'package-lock.json', 'main.mjs', '../command.ts'],
  program: 'fluent-client/main.mjs',
  async build(making, from, processes) {
    const into = join(making, 'fluent-client')
    await mkdir(into)
    for (const file of FLUENT_CLIENT.files) await copyFile(join(from, file), join(into, file))
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    await runOk(processes, 'npm', args, { cwd: into, timeoutMs: WITHIN_MS })
  },
}

const RECIPES = { 'controller-runtime': CONTROLLER_RUNTIME, 'fluent-client': FLUENT_CLIENT }
export type Built = keyof typeof RECIPES | 'ppn'

/** Path of the program, built first when this machine has none of these sources. Throws when two build at once. */
export async function builtProgram(name: Built, processes: Processes, say: (line: string) => void): Promise<string> {
  if (name === 'ppn') return await compiled(processes)
  const recipe = RECIPES[name]
  const from = join(import.meta.dirname, recipe.folder)
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}`)
  for (const file of recipe.files) hash.update(readFileSync(join(from, file)))
  const folder = join(cacheFolder(), 'bench', `${recipe.folder}-${hash.digest('hex').slice(0, 16)}`)
  const program = join(folder, recipe.program)
  if (existsSync(folder)) return program
  const lock = await holdAbstractLock(`ppn-bench-build ${folder}`)
  const making = `${folder}.${process.pid}`
  try {
    say(`building ${recipe.folder}; minutes, once a machine`)
    await mkdir(making, { recursive: true })
    await recipe.build(making, from, processes)
    await rename(making, folder)
  } finally {
    await rm(making, { recursive: true, force: true })
    await lock.release()
  }
  return program
}

/** As the package and the image hold it: plain JavaScript. Below node_modules, so that it finds its dependencies. */
async function compiled(processes: Processes): Promise<string> {
  const root = join(import.meta.dirname, '../../..')
  const into = join(root, 'node_modules/.cache/ppn-bench')
  await rm(into, { recursive: true, force: true })
  await runOk(processes, join(root, 'node_modules/.bin/tsc'), ['-p', import.meta.dirname], { timeoutMs: WITHIN_MS })
  await writeFile(join(into, 'package.json'), JSON.stringify({ type: 'module' }))
  return join(into, 'test/bench/kube')
}
