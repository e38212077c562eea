// No parser can be forgotten: whatever is named like a reader, or calls one, is in the table or has a reason not to be.
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { allReaders, readersIn } from './readers.ts'
import { NO_PARSERS, PARSERS } from './table.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const covers = new Set(PARSERS.flatMap((parser) => parser.covers))
const modules = new Set([...covers].map((one) => one.split('#')[0]))

test('every function and module that reads is fuzzed, or is named with the reason why it is not', () => {
  const readers = allReaders(root)
  expect(readers.length).toBeGreaterThan(60)
  const known = (reader: string) =>
    covers.has(reader) || (!reader.includes('#') && modules.has(reader)) || reader in NO_PARSERS
  expect(readers.filter((reader) => !known(reader))).toEqual([])
})

test('a new parser is seen, by its name or by what it calls', () => {
  expect(readersIn('a.ts', 'export function parseThing(text: string) { return text }')).toEqual(['a.ts#parseThing'])
  expect(readersIn('a.ts', 'export const readThing = (text: string) => text')).toEqual(['a.ts#readThing'])
  expect(readersIn('a.ts', 'export class A { b = (text: string) => JSON.parse(text) }')).toEqual(['a.ts'])
  expect(readersIn('a.ts', 'const a = schema.safeParse(1)')).toEqual(['a.ts'])
  expect(readersIn('a.ts', 'const at = Date.parse(text)')).toEqual([])
})

test('what the table names is there', () => {
  for (const one of [...covers, ...Object.keys(NO_PARSERS)]) {
    const [path = '', name] = one.split('#')
    expect(existsSync(`${root}/${path}`), path).toBe(true)
    if (name !== undefined) expect(readFileSync(`${root}/${path}`, 'utf8'), one).toMatch(new RegExp(`\\b${name}\\b`))
  }
  expect(new Set(PARSERS.map(({ name }) => name)).size).toBe(PARSERS.length)
})
