// What the authority's roles grant against what authorities did in all suites of this run, by the API server's audit log.
// Runs last. docs/kubernetes.md has the table; a grant that no suite uses stands there with its reason.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, inject, test } from 'vitest'
import { runOk, systemProcesses } from '../../base/processes.ts'
import { keptUses, type Uses } from './audit.ts'
import { grantedTo } from './granted.ts'

const HERE = import.meta.dirname
const DOC = join(HERE, '../../docs/kubernetes.md')
const HEADING = '### What the authority’s role grants'
/** It uses everything on purpose, one by one. */
const BY_HAND = 'roles.test.ts'
const USED = 'yes'

/** `verb resource` to what the page says of its use: `yes`, or why it is granted all the same. */
function documented(): Map<string, string> {
  const [, rest = ''] = readFileSync(DOC, 'utf8').split(HEADING)
  const rows = (rest.split('\n## ')[0] ?? '').matchAll(/^\| ([a-z, ]+) \| (`.+`) \| (.+) \|$/gm)
  return new Map(
    [...rows].flatMap(([, verbs = '', resources = '', used = '']) =>
      verbs
        .split(', ')
        .flatMap((verb) => [...resources.matchAll(/`([^`]+)`/g)].map(([, resource]) => [`${verb} ${resource}`, used])),
    ) as [string, string][],
  )
}

/** Files that have a cluster. */
const suites = readdirSync(HERE).filter(
  (name) => name.endsWith('.test.ts') && /from '\.\/fresh-cluster\.ts'/.test(readFileSync(join(HERE, name), 'utf8')),
)

let kept: Uses[]
let granted: Set<string>
beforeAll(async () => {
  kept = await keptUses(inject('kubeUses'))
  const manifests = await runOk(systemProcesses(), inject('kubePrograms').kubectl, ['kustomize', 'manifests/base'])
  granted = grantedTo('ppn-authority', manifests)
})

test('no authority does what its role does not grant', () => {
  for (const { suite, uses } of kept) {
    const beyond = Object.keys(uses).filter((action) => !granted.has(action))
    expect(beyond, suite).toEqual([])
  }
})

test('the page names every grant and nothing else', () => {
  expect([...documented().keys()].sort()).toEqual([...granted].sort())
})

test('what the page calls used is used by some suite', ({ skip }) => {
  const ran = new Set(kept.map(({ suite }) => suite))
  const missing = suites.filter((suite) => !ran.has(suite))
  // Only a run of everything can tell what nobody uses.
  if (missing.length > 0) skip(`not run: ${missing.join(', ')}`)
  const used = new Set(kept.filter(({ suite }) => suite !== BY_HAND).flatMap(({ uses }) => Object.keys(uses)))
  const unused = [...documented()].flatMap(([action, says]) => (says === USED && !used.has(action) ? [action] : []))
  expect(unused).toEqual([])
})
