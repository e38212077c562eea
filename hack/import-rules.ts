// Who may import whom (DESIGN section 3), as data. A rule names importers and what they may reach.
import type { Module } from './modules.ts'

export interface Breach {
  rule: string
  at: string
  message: string
}

interface Rule {
  name: string
  /** Which modules the rule is about. */
  from: RegExp
  /** Which of our own modules these may import. */
  allow: RegExp[]
  /** Applies to imports that vanish at run time as well. */
  types: boolean
}

/** Unit tests, and the suites and doubles that lie beside what they test. */
const TEST = /\.test\.ts$|.\/(testing|conformance)\//
const COMMON = [/^api\//, /^base\//]

/** Rooms and what each may import, besides itself. Tests are free (they span rooms), apart from the last rules. */
export const RULES: Rule[] = [
  { name: 'base imports nothing of ours', from: /^base\//, allow: [/^base\//], types: true },
  { name: 'api imports nothing of ours but base', from: /^api\//, allow: [/^api\//, /^base\//], types: true },
  { name: 'protocol imports only api and base', from: /^protocol\//, allow: [...COMMON, /^protocol\//], types: true },
  {
    name: 'controllers import of protocol only schemas and plain tables',
    from: /^controllers\//,
    allow: [
      ...COMMON,
      /^controllers\//,
      /^protocol\/(bundle\/(document|digest)|ids|telemetry\/report|command\/ops)\.ts$/,
    ],
    types: true,
  },
  {
    name: 'stores import only ports',
    from: /^stores\//,
    allow: [...COMMON, /^stores\//, /^controllers\/ports\//],
    types: true,
  },
  {
    name: 'authority imports neither stores nor agent',
    from: /^authority\/(?!main)/,
    allow: [...COMMON, /^authority\//, /^protocol\//, /^controllers\/ports\//],
    types: true,
  },
  {
    name: 'authority/main wires controllers, stores and authority',
    from: /^authority\/main/,
    allow: [...COMMON, /^authority\//, /^protocol\//, /^controllers\//, /^stores\//],
    types: true,
  },
  {
    name: 'agent imports no room above it',
    from: /^agent\//,
    allow: [...COMMON, /^agent\//, /^protocol\//],
    types: true,
  },
  {
    name: 'testing imports what it imitates, never the shell',
    from: /^testing\//,
    allow: [/^(?!cli\/|hack\/|test\/).*\//],
    types: true,
  },
  {
    name: 'cli imports no test double',
    from: /^cli\//,
    allow: [/^(?!testing\/|hack\/|test\/).*\//],
    types: true,
  },
  { name: 'the launcher imports only itself', from: /^bin\//, allow: [/^bin\//], types: true },
]

const ours = (target: string) =>
  /^(api|base|protocol|controllers|stores|authority|agent|cli|testing|hack|test|bin|examples)\//.test(target)

/** Modules that `path` loads at run time, directly or through others. */
export function reaches(modules: readonly Module[], path: string): Map<string, string[]> {
  const byPath = new Map(modules.map((m) => [m.path, m]))
  const via = new Map<string, string[]>([[path, [path]]])
  const todo = [path]
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    for (const { target, typeOnly } of byPath.get(next)?.imports ?? []) {
      if (typeOnly || via.has(target) || !byPath.has(target)) continue
      via.set(target, [...(via.get(next) as string[]), target])
      todo.push(target)
    }
  }
  return via
}

const ENCODER = 'protocol/command/encode.ts'

/** Import cycles at run time, each once, as the path around. */
function cycles(modules: readonly Module[]): string[][] {
  const byPath = new Map(modules.map((m) => [m.path, m]))
  const state = new Map<string, 'open' | 'closed'>()
  const found: string[][] = []
  const visit = (path: string, trail: string[]) => {
    if (state.get(path) === 'closed') return
    if (state.get(path) === 'open') {
      found.push([...trail.slice(trail.indexOf(path)), path])
      return
    }
    state.set(path, 'open')
    for (const { target, typeOnly } of byPath.get(path)?.imports ?? []) {
      if (!typeOnly && byPath.has(target)) visit(target, [...trail, path])
    }
    state.set(path, 'closed')
  }
  for (const { path } of modules) visit(path, [])
  return found
}

/** Everything in `modules` that breaks a rule. `dependencies` are the packages that shipped code may load. */
export function checkImports(modules: readonly Module[], dependencies: readonly string[]): Breach[] {
  const breaches: Breach[] = []
  const known = new Set(modules.map((m) => m.path))
  const shipped = (path: string) =>
    !TEST.test(path) && !/^(test|hack|testing)\//.test(path) && !/\.config\.ts$/.test(path)

  for (const module of modules) {
    const rule = RULES.find((r) => r.from.test(module.path))
    for (const { target, line } of module.imports) {
      const at = `${module.path}:${line}`
      if (ours(target)) {
        if (!known.has(target)) breaches.push({ rule: 'imports exist', at, message: `there is no ${target}` })
        if (rule && !TEST.test(module.path) && !rule.allow.some((a) => a.test(target))) {
          breaches.push({ rule: rule.name, at, message: `imports ${target}` })
        }
        if (shipped(module.path) && /^testing\//.test(target)) {
          breaches.push({ rule: 'shipped code imports no test double', at, message: `imports ${target}` })
        }
      } else if (shipped(module.path) && !target.startsWith('node:')) {
        const name = target
          .split('/')
          .slice(0, target.startsWith('@') ? 2 : 1)
          .join('/')
        if (!dependencies.includes(name)) {
          breaches.push({ rule: 'shipped code imports only declared dependencies', at, message: `imports ${target}` })
        }
      }
      if (/^testing\//.test(module.path) && !/\.test\.ts$/.test(module.path) && /^(vitest|fast-check)$/.test(target)) {
        breaches.push({ rule: 'testing imports no test framework', at, message: `imports ${target}` })
      }
    }
    // Law 1: only the authority can make a command. Whatever else loads the encoder, through whomever, is a breach.
    if (
      !/^(authority|test|hack|testing)\//.test(module.path) &&
      !TEST.test(module.path) &&
      module.path !== ENCODER &&
      !/^cli\//.test(module.path)
    ) {
      const trail = reaches(modules, module.path).get(ENCODER)
      if (trail)
        breaches.push({
          rule: 'only authority and tests reach the encoder',
          at: module.path,
          message: trail.join(' -> '),
        })
    }
  }
  for (const trail of cycles(modules)) {
    breaches.push({ rule: 'no import cycles', at: trail[0] as string, message: trail.join(' -> ') })
  }
  return breaches
}
