// `npm run check`: everything about the code that can be told without running it. Runs all, then says what failed.
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { checkImports } from './import-rules.ts'
import { readModules } from './modules.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

async function tool(command: string, args: string[]): Promise<string | undefined> {
  const result = await execa(command, args, { cwd: root, reject: false, all: true, preferLocal: true, localDir: root })
  return result.exitCode === 0 ? undefined : (result.all ?? result.shortMessage)
}

function importRules(): string | undefined {
  const { dependencies } = JSON.parse(readFileSync(`${root}/package.json`, 'utf8')) as {
    dependencies: Record<string, string>
  }
  const modules = readModules(root)
  const breaches = checkImports(modules, Object.keys(dependencies))
  if (modules.length < 50) return `only ${modules.length} modules were seen: the reader is broken`
  return breaches.length === 0 ? undefined : breaches.map((b) => `${b.at}: ${b.rule}: ${b.message}`).join('\n')
}

const checks: [string, () => Promise<string | undefined> | string | undefined][] = [
  ['types', () => tool('tsc', ['-p', '.'])],
  ['lint and format', () => tool('biome', ['ci', '--colors=off', '--error-on-warnings', '.'])],
  ['import rules', importRules],
  ['generated files current', () => tool(process.execPath, ['hack/generate.ts', '--check'])],
  ['unused code', () => tool('knip', ['--no-progress'])],
]

let failed = 0
for (const [name, run] of checks) {
  const problem = await run()
  process.stdout.write(`${problem === undefined ? 'ok  ' : 'FAIL'} ${name}\n`)
  if (problem === undefined) continue
  failed++
  process.stdout.write(`${problem}\n`)
}
process.stdout.write(`${checks.length - failed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 1
