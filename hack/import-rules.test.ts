import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { checkImports, RULES } from './import-rules.ts'
import { type Module, readModule, readModules } from './modules.ts'

const root = new URL('..', import.meta.url).pathname
const dependencies = Object.keys(JSON.parse(readFileSync(`${root}package.json`, 'utf8')).dependencies)
const module = (path: string, ...targets: string[]): Module => ({
  path,
  imports: targets.map((target) => ({ target, line: 1, typeOnly: false })),
})
const rulesBroken = (...modules: Module[]) => new Set(checkImports(modules, dependencies).map((b) => b.rule))

test('every source file that git knows was read, and each was seen to import something or to be a leaf', () => {
  const seen = readModules(root)
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((path) => /\.(ts|mts|mjs|js)$/.test(path))
  expect(seen.map((m) => m.path)).toEqual(expect.arrayContaining(listed))
  expect(seen.length).toBeGreaterThan(50)
  expect(seen.filter((m) => m.imports.length > 0).length).toBeGreaterThan(seen.length / 2)
})

test('the house as it stands breaks no rule', () => {
  expect(checkImports(readModules(root), dependencies)).toEqual([])
})

test('a planted breach of each room is caught', () => {
  const planted: Record<string, [string, string]> = {
    'base imports nothing of ours': ['base/x.ts', 'api/meta.ts'],
    'api imports nothing of ours but base': ['api/x.ts', 'protocol/ids.ts'],
    'protocol imports only api and base': ['protocol/x.ts', 'controllers/ports/store.ts'],
    'controllers import of protocol only schemas and plain tables': ['controllers/x.ts', 'protocol/command/decode.ts'],
    'stores import only ports': ['stores/x.ts', 'authority/audit.ts'],
    'authority imports neither stores nor agent': ['authority/x.ts', 'agent/agent.ts'],
    'authority/main wires controllers, stores and authority': ['authority/main.ts', 'agent/agent.ts'],
    'agent imports no room above it': ['agent/x.ts', 'authority/audit.ts'],
    'testing imports what it imitates, never the shell': ['testing/x.ts', 'cli/main.ts'],
    'cli imports no test double': ['cli/x.ts', 'testing/virtual-clock.ts'],
    'the launcher imports only itself': ['bin/x.mjs', 'base/log.ts'],
  }
  expect(Object.keys(planted).sort()).toEqual(RULES.map((r) => r.name).sort())
  for (const [rule, [from, to]] of Object.entries(planted)) {
    expect(rulesBroken(module(from, to), module(to))).toContain(rule)
  }
})

test('an encoder reached through a third module is caught', () => {
  const broken = rulesBroken(
    module('agent/x.ts', 'protocol/innocent.ts'),
    module('protocol/innocent.ts', 'protocol/command/encode.ts'),
    module('protocol/command/encode.ts'),
  )
  expect(broken).toContain('only authority and tests reach the encoder')
})

test('a cycle, an undeclared package, a missing module and a framework in testing are caught', () => {
  expect(rulesBroken(module('base/a.ts', 'base/b.ts'), module('base/b.ts', 'base/a.ts'))).toContain('no import cycles')
  expect(rulesBroken(module('base/a.ts', 'left-pad'))).toContain('shipped code imports only declared dependencies')
  expect(rulesBroken(module('base/a.ts', 'base/gone.ts'))).toContain('imports exist')
  expect(rulesBroken(module('testing/a.ts', 'vitest'))).toContain('testing imports no test framework')
  expect(rulesBroken(module('authority/a.ts', 'testing/b.ts'), module('testing/b.ts'))).toContain(
    'shipped code imports no test double',
  )
})

test('imports of every form are seen, and a computed one is refused', () => {
  const text = [
    "import a from './a.ts'",
    "import type { B } from './b.ts'",
    "export * from './c.ts'",
    "export { d } from './d.ts'",
    "const e = await import('./e.ts')",
    "type F = import('./f.ts').F",
  ].join('\n')
  const { imports } = readModule('/r', 'base/x.ts', text)
  expect(imports.map((i) => i.target).sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'].map((n) => `base/${n}.ts`))
  expect(() => readModule('/r', 'base/x.ts', 'await import(name)')).toThrow('base/x.ts:1')
})
