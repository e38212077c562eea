// Every module of the house and what it imports, read with a parser of its own (TypeScript 7 has no API for this).
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { parseSync } from 'oxc-parser'

export interface Import {
  /** Path of the module it names, relative to the root; a bare name (`zod`, `node:fs`) is left as it is. */
  target: string
  line: number
  /** `import type`: gone at run time. */
  typeOnly: boolean
}

export interface Module {
  path: string
  imports: Import[]
}

const SKIPPED = new Set(['node_modules', 'dist', '.git', 'coverage'])
const SOURCE = /\.(ts|mts|mjs|js)$/

/** Paths of all source files below `root`, sorted. */
export function sourceFiles(root: string): string[] {
  return readdirSync(root, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && SOURCE.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((path) => !path.split('/').some((part) => SKIPPED.has(part)))
    .sort()
}

interface Loose {
  type: string
  [key: string]: unknown
}

/** Calls `visit` for every node of a syntax tree. */
function walk(node: unknown, visit: (node: Loose) => void): void {
  if (Array.isArray(node)) {
    for (const child of node) walk(child, visit)
  } else if (node !== null && typeof node === 'object') {
    if (typeof (node as Loose).type === 'string') visit(node as Loose)
    for (const child of Object.values(node)) walk(child, visit)
  }
}

/** Static, type, re-exported and dynamic imports. Throws when the file does not parse, or computes what it imports. */
export function readModule(root: string, path: string, text = readFileSync(join(root, path), 'utf8')): Module {
  const { program, errors } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`)
  const imports: Import[] = []
  const add = (source: unknown, at: number, typeOnly: boolean) => {
    const literal = source as { type: string; value?: unknown } | null
    const line = text.slice(0, at).split('\n').length
    if (literal?.type !== 'Literal' || typeof literal.value !== 'string') {
      throw new Error(`${path}:${line}: an import must name its module as a plain string`)
    }
    const name = literal.value
    const target = name.startsWith('.') ? relative(root, resolve(root, dirname(path), name)) : name
    imports.push({ target, line, typeOnly })
  }
  walk(program, (node) => {
    const at = node.start as number
    switch (node.type) {
      case 'ImportDeclaration':
      case 'ExportAllDeclaration':
        return add(node.source, at, node.importKind === 'type' || node.exportKind === 'type')
      case 'ExportNamedDeclaration':
        return node.source ? add(node.source, at, node.exportKind === 'type') : undefined
      case 'ImportExpression':
        return add(node.source, at, false)
      case 'TSImportType':
        return add(node.source ?? (node.argument as Loose | undefined)?.literal, at, true)
    }
  })
  return { path, imports }
}

export function readModules(root: string): Module[] {
  return sourceFiles(root).map((path) => readModule(root, path))
}
