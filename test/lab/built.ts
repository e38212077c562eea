// ppn as it is installed: plain JavaScript, started with the flags of its services. So is its memory what a node's is.
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Processes } from '../../base/processes.ts'
import { MALLOC_ARENAS, NODE_FLAGS } from '../../cli/service/units.ts'
import { REPOSITORY } from './repository.ts'

/** A build of these sources takes a second or two on a machine of its own. */
const WITHIN_MS = 300_000

/** Builds into `folder`; returns what runs it. Throws when the compiler has made nothing. */
export async function builtProgram(processes: Processes, folder: string): Promise<[string, ...string[]]> {
  mkdirSync(folder, { recursive: true })
  const compiler = join(REPOSITORY, 'node_modules', '.bin', 'tsc')
  const args = ['-p', 'tsconfig.build.json', '--outDir', join(folder, 'dist')]
  // Faults of types are for `npm run check` to find.
  const { stdout } = await processes.run(compiler, args, { cwd: REPOSITORY, timeoutMs: WITHIN_MS })
  const entry = join(folder, 'dist', 'cli', 'main.js')
  if (!existsSync(entry)) throw new Error(`nothing was built: ${stdout}`)
  writeFileSync(join(folder, 'package.json'), '{"type": "module", "version": "0.1.0"}\n')
  symlinkSync(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'))
  return ['/usr/bin/env', MALLOC_ARENAS, process.execPath, ...NODE_FLAGS.split(' '), entry]
}
