// Everything in the shipped rooms that reads: functions that say so by name, and modules that call a parser.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync } from 'oxc-parser'
import { sourceFiles } from '../../../hack/modules.ts'

const ROOMS = /^(agent|api|authority|base|cli|controllers|protocol|stores)\//
const NO_PRODUCT = /\.test\.ts$|\/(testing|conformance)\//
const NAMED = /^(parse|decode|read|open|load|dearmor|unpack)[A-Z]/
/** What turns bytes or text into values. */
const CALLS = new Set(['parseCanonical', 'parseDocument', 'parseAllDocuments', 'openJson', 'safeParse', 'parseSync'])

interface Loose {
  type: string
  [key: string]: unknown
}

function walk(node: unknown, visit: (node: Loose) => void): void {
  if (Array.isArray(node)) for (const child of node) walk(child, visit)
  else if (node !== null && typeof node === 'object') {
    if (typeof (node as Loose).type === 'string') visit(node as Loose)
    for (const child of Object.values(node)) walk(child, visit)
  }
}

const nameOf = (node: unknown): string | undefined => (node as { name?: string } | null)?.name

function exportedNames(declaration: Loose): string[] {
  if (declaration.type === 'FunctionDeclaration') return [nameOf(declaration.id) ?? '']
  const declared = (declaration.declarations ?? []) as { id: unknown; init: Loose | null }[]
  return declared
    .filter(({ init }) => init?.type === 'ArrowFunctionExpression' || init?.type === 'FunctionExpression')
    .map(({ id }) => nameOf(id) ?? '')
}

function callsParser({ callee }: Loose): boolean {
  const { object, property } = callee as Loose
  const name = nameOf(property) ?? nameOf(callee)
  return (
    name !== undefined && (CALLS.has(name) || (name === 'parse' && nameOf(object) !== 'Date' && object !== undefined))
  )
}

/** `path#function` for those that are named like readers, `path` for every module that calls a parser. */
export function readersIn(path: string, text: string): string[] {
  const { program, errors } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`)
  const found = new Set<string>()
  walk(program, (node) => {
    if (node.type === 'ExportNamedDeclaration' && node.declaration)
      for (const name of exportedNames(node.declaration as Loose)) if (NAMED.test(name)) found.add(`${path}#${name}`)
    if (node.type === 'CallExpression' && callsParser(node)) found.add(path)
  })
  return [...found]
}

export function allReaders(root: string): string[] {
  return sourceFiles(root)
    .filter((path) => ROOMS.test(path) && !NO_PRODUCT.test(path))
    .flatMap((path) => readersIn(path, readFileSync(join(root, path), 'utf8')))
    .sort()
}
