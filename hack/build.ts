// `npm run build`: plain JavaScript in dist/, for the package. Types are stripped by tsc, `.ts` becomes `.js`.
import { readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
rmSync(join(root, 'dist'), { recursive: true, force: true })
const result = await execa('tsc', ['-p', 'tsconfig.build.json'], {
  cwd: root,
  reject: false,
  all: true,
  preferLocal: true,
})
if (result.exitCode !== 0) {
  process.stderr.write(`${result.all}\n`)
  process.exit(1)
}
const files = readdirSync(join(root, 'dist'), { recursive: true, withFileTypes: true }).filter((e) => e.isFile())
process.stdout.write(`dist: ${files.length} files\n`)
