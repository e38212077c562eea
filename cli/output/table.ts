import { COLUMNS, type Column } from '../../api/crd/columns.ts'
import type { Kind } from '../../api/meta.ts'
import { type AnyObject, NAMESPACED } from '../../api/v1alpha1/index.ts'
import { humanDuration } from './duration.ts'
import { jsonPath } from './json-path.ts'

export interface TableOptions {
  wide: boolean
  /** Shows the namespace (all namespaces are listed). */
  namespaces: boolean
  headers: boolean
  /** Prefixes each name with its kind (several kinds are listed). */
  kinds: boolean
  nowMs: number
}

function cell(object: AnyObject, column: Column, nowMs: number): string {
  const value = jsonPath(object, column.jsonPath)
  if (value === undefined || value === null || value === '') return column.type === 'date' ? '<unknown>' : '<none>'
  if (column.type === 'date') return humanDuration(nowMs - Date.parse(String(value)))
  return String(value)
}

/** Rows of text in columns that are as wide as their widest cell, three spaces between, as kubectl's tabwriter. */
export function alignRows(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, text] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, text.length)
  }
  return rows
    .map((row) => row.map((text, i) => (i === row.length - 1 ? text : text.padEnd((widths[i] as number) + 3))).join(''))
    .map((line) => `${line.trimEnd()}\n`)
    .join('')
}

/** The table of one kind. */
export function objectTable(kind: Kind, objects: readonly AnyObject[], options: TableOptions): string {
  const columns = COLUMNS[kind].filter((column) => options.wide || column.priority === 0)
  const namespaced = options.namespaces && NAMESPACED[kind]
  const header = [...(namespaced ? ['NAMESPACE'] : []), 'NAME', ...columns.map((c) => c.name.toUpperCase())]
  const rows = objects.map((object) => [
    ...(namespaced ? [object.metadata.namespace ?? ''] : []),
    options.kinds ? `${kind.toLowerCase()}.ppn.dev/${object.metadata.name}` : object.metadata.name,
    ...columns.map((column) => cell(object, column, options.nowMs)),
  ])
  return alignRows(options.headers ? [header, ...rows] : rows)
}
