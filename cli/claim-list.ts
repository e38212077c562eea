// The list of `ppn claim --from`: machines that hold, as CSV (address,node,code) or as YAML or JSON (a list of
// objects with these fields). A first line that names the columns may put them in another order.
import { isIPv6 } from 'node:net'
import { parse } from 'yaml'
import { z } from 'zod'
import { pairingSpec } from '../api/v1alpha1/pairing.ts'
import { readCode } from '../protocol/pairing/code.ts'

export interface ClaimRow {
  address: string
  node: string
  code: string
}

const COLUMNS = ['address', 'node', 'code'] as const
const row = z.strictObject({ address: z.string(), node: z.string(), code: z.string() })
const { address: addressField, nodeName: nameField } = pairingSpec.shape

/** host, host:port, [v6]:port or an IPv6 address, as a Pairing writes it. Throws what is wrong with it. */
export function claimAddress(text: string): string {
  const address = isIPv6(text) ? `[${text}]` : text
  if (!addressField.safeParse(address).success) throw new Error(`"${text}" is no address: host, host:port or [v6]:port`)
  return address
}

/** Throws everything that is wrong with the list at once, a line each; no code is repeated in it. */
export function readClaimList(text: string): ClaimRow[] {
  const faults: string[] = []
  const rows = (/^\s*(-\s|\[)/.test(withoutComments(text)) ? fromYaml(text, faults) : fromCsv(text, faults)).flatMap(
    ({ at, fields }) => {
      try {
        return [checked(fields)]
      } catch (error) {
        faults.push(`${at}: ${(error as Error).message}`)
        return []
      }
    },
  )
  for (const field of ['address', 'node'] as const) {
    const values = rows.map((r) => r[field])
    for (const twice of new Set(values.filter((value, i) => values.indexOf(value) !== i)))
      faults.push(`${field} ${twice} stands there more than once`)
  }
  if (faults.length === 0 && rows.length === 0) faults.push('there is nobody in it')
  if (faults.length > 0) throw new Error(faults.join('\n'))
  return rows
}

interface Unchecked {
  at: string
  fields: Record<string, unknown>
}

function checked(fields: Record<string, unknown>): ClaimRow {
  const parsed = row.safeParse(fields)
  if (!parsed.success) throw new Error('it takes address, node and code, and nothing else')
  const { address, node, code } = parsed.data
  if (!nameField.safeParse(node).success) throw new Error(`"${node}" cannot be the name of a Node`)
  return { address: claimAddress(address), node, code: readCode(code) }
}

const withoutComments = (text: string) => text.replace(/^\s*(#.*)?\n/gm, '')

function fromYaml(text: string, faults: string[]): Unchecked[] {
  try {
    const list: unknown = parse(text)
    if (Array.isArray(list)) return list.map((fields, i) => ({ at: `entry ${i + 1}`, fields: fields ?? {} }))
    faults.push('not a list')
  } catch (error) {
    // The first line alone: what follows quotes the text, codes included.
    faults.push((error as Error).message.split('\n')[0] as string)
  }
  return []
}

function fromCsv(text: string, faults: string[]): Unchecked[] {
  const lines = text
    .split(/\r?\n/)
    .map((line, i) => ({
      at: `line ${i + 1}`,
      cells: line.split(',').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1')),
    }))
    .filter(({ cells: [first = '', ...rest] }) => !first.startsWith('#') && (first !== '' || rest.length > 0))
  const [head, ...body] = lines
  const names = head?.cells.map((cell) => cell.toLowerCase()) ?? []
  const named = COLUMNS.every((column) => names.includes(column))
  const columns = named ? names : COLUMNS
  return (named ? body : lines).flatMap(({ at, cells }) => {
    if (cells.length === columns.length)
      return [{ at, fields: Object.fromEntries(columns.map((column, i) => [column, cells[i]])) }]
    faults.push(`${at}: ${cells.length} fields, not ${columns.length}`)
    return []
  })
}
