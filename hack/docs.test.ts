// What the documentation names must be there: links, headings, verbs of ppn, npm scripts.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import type { Io } from '../cli/io.ts'
import { createProgram } from '../cli/program.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const markdown = (folder: string) =>
  readdirSync(join(root, folder), { recursive: folder !== '.', withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.md'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
const PAGES = [...markdown('.'), ...markdown('docs')].sort()
const read = (page: string) => readFileSync(join(root, page), 'utf8')
const withoutCode = (text: string) => text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '')

/** As GitHub makes the anchor of a heading. */
const anchor = (heading: string) =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')
const anchors = (page: string) => [...read(page).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => anchor(heading!))

/** Every relative link that leads nowhere, as `page: link`. */
function brokenLinks(page: string, text: string): string[] {
  const links = [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!)
  return links
    .filter((link) => {
      if (/^[a-z]+:/.test(link)) return false
      const [path = '', fragment] = link.split('#')
      const target = path === '' ? page : join(dirname(page), path)
      if (!existsSync(join(root, target))) return true
      return fragment !== undefined && target.endsWith('.md') && !anchors(target).includes(fragment)
    })
    .map((link) => `${page}: ${link}`)
}

const program = createProgram({ out: () => {}, err: () => {} } as unknown as Io, () => {})

/** The texts in which a command line can stand: fenced blocks and code spans. */
const codeOf = (text: string) => [
  ...[...text.matchAll(/^```[\s\S]*?^```/gm)].map(([block]) => block),
  ...[...text.replace(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, span]) => span!),
]

/** Every `ppn VERB [--flag]` in code that the program does not know. */
function unknownCommands(page: string, text: string): string[] {
  const calls = codeOf(text).flatMap((code) => [
    ...code.matchAll(/(?:^|[\s$])ppn(?: --)? ([a-z]+)(?: ([a-z]+(?:-[a-z]+)*))?([^\n#|;&]*)/gm),
  ])
  return calls.flatMap(([, verb = '', second, rest = '']) => {
    let command: Command | undefined = program.commands.find((c) => c.name() === verb)
    if (!command) return [`${page}: ppn ${verb}`]
    if (command.commands.length > 0 && second !== undefined) {
      command = command.commands.find((c) => c.name() === second)
      if (!command) return [`${page}: ppn ${verb} ${second}`]
    }
    const known = new Set([...command.options, ...program.options].flatMap((o) => [o.long, o.short]).concat('--help'))
    const flags = [...rest.matchAll(/(?:^|\s)(--[a-z-]+|-[A-Za-z])\b/g)].map(([, flag]) => flag!)
    return flags.filter((flag) => !known.has(flag)).map((flag) => `${page}: ppn ${verb} ${flag}`)
  })
}

test('every relative link and anchor of the documentation resolves', () => {
  expect(PAGES.length).toBeGreaterThan(10)
  expect(PAGES.flatMap((page) => brokenLinks(page, read(page)))).toEqual([])
})

test('every page below docs/ is reached from the index', () => {
  const index = read('docs/README.md')
  const pages = PAGES.filter((page) => page.startsWith('docs/') && page !== 'docs/README.md')
  expect(pages.filter((page) => !index.includes(`(${relative('docs', page)})`))).toEqual([])
})

test('every verb and flag of ppn that the documentation names exists', () => {
  expect(PAGES.flatMap((page) => unknownCommands(page, read(page)))).toEqual([])
})

test('every npm script that the documentation names exists', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
  const named = PAGES.flatMap((page) =>
    [...read(page).matchAll(/npm (?:run(?: -s)? ([a-z:]+)|(test)\b)/g)].map(([, run, alone]) => run ?? alone!),
  )
  expect(named.length).toBeGreaterThan(5)
  expect(named.filter((name) => !(name in scripts))).toEqual([])
})

test('a planted fault of each kind is seen', () => {
  expect(brokenLinks('README.md', '[x](docs/gone.md) [y](#nowhere) [z](docs/README.md)')).toEqual([
    'README.md: docs/gone.md',
    'README.md: #nowhere',
  ])
  const text = '`ppn frobnicate`, `ppn get nodes --loud`, `ppn node dance`\n```sh\nppn up DIR --simulate\n```'
  expect(unknownCommands('x.md', text).sort()).toEqual([
    'x.md: ppn frobnicate',
    'x.md: ppn get --loud',
    'x.md: ppn node dance',
  ])
})
