// `npm run generate` writes every generated file; `--check` only compares, and says which are not current.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generateApiDoc } from './generate-api-doc.ts'
import { generateCampus } from './generate-campus.ts'
import { generateConditionsDoc } from './generate-conditions-doc.ts'
import { generateCrds } from './generate-crds.ts'
import { generateDashboard } from './generate-dashboard.ts'
import { generateErrorsDoc } from './generate-errors-doc.ts'
import { generatePrometheusRule } from './generate-prometheus-rule.ts'
import { generateVectors } from './generate-vectors.ts'

/** Each gives path -> content, the same bytes every time. */
const GENERATORS: (() => Map<string, string> | Promise<Map<string, string>>)[] = [
  generateApiDoc,
  generateCampus,
  generateConditionsDoc,
  generateCrds,
  generateDashboard,
  generateErrorsDoc,
  generatePrometheusRule,
  generateVectors,
]

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const check = process.argv.includes('--check')

const present = (path: string): string | undefined => {
  try {
    return readFileSync(join(root, path), 'utf8')
  } catch {
    return undefined
  }
}

let stale = 0
for (const generator of GENERATORS) {
  for (const [path, content] of await generator()) {
    if (present(path) === content) continue
    stale++
    process.stdout.write(`${check ? 'not current' : 'written'}: ${path}\n`)
    if (check) continue
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
}
if (check && stale > 0) {
  process.stdout.write('run: npm run generate\n')
  process.exitCode = 1
}
