import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { virtualClock } from '../testing/virtual-clock.ts'
import type { Io } from './io.ts'
import { main } from './main.ts'
import { createProgram } from './program.ts'

function recordingIo() {
  const said = { out: '', err: '' }
  const io: Io = {
    out: (text) => {
      said.out += text
    },
    err: (text) => {
      said.err += text
    },
    terminal: false,
    columns: () => 80,
    color: false,
    env: { XDG_STATE_HOME: '/nonexistent' },
    cwd: '/nonexistent',
    clock: virtualClock(),
    signal: new AbortController().signal,
    onHangup: () => {},
    exitNow: () => {},
    stdin: async () => '',
    read: async () => '',
  }
  return { io, said }
}

interface Verb {
  name: string
  command: Command
}

/** What can be called: a command without further ones, or one that has flags of its own beside them. */
const called = (command: Command, name = command.name()): Verb[] => [
  ...(command.commands.length === 0 || command.options.length > 0 ? [{ name, command }] : []),
  ...command.commands.flatMap((sub) => called(sub, `${name} ${sub.name()}`)),
]

const { io } = recordingIo()
const verbs = createProgram(io, () => {}).commands.flatMap((command) => called(command))

test('there is every verb', () => {
  expect(verbs.map(({ name }) => name).sort()).toEqual([
    'agent',
    'agent holding',
    'agent import',
    'agent init',
    'apply',
    'audit verify',
    'authority',
    'backup',
    'brake',
    'claim',
    'completion',
    'confirm',
    'console',
    'delete',
    'describe',
    'diff',
    'doctor',
    'events',
    'explain',
    'get',
    'holds',
    'join',
    'keys',
    'keys new',
    'keys rotate',
    'migrate',
    'node bundle',
    'node leave',
    'node sever',
    'operator card',
    'operator init',
    'operator override',
    'operator replace-authority',
    'operator rotate',
    'pair',
    'registry export',
    'registry list',
    'registry verify',
    'restore',
    'service install',
    'service print',
    'service remove',
    'up',
    'validate',
    'version',
  ])
})

test.each(verbs)('docs/cli.md names `$name` and every one of its flags', ({ name, command }) => {
  const text = readFileSync(new URL('../docs/cli.md', import.meta.url), 'utf8')
  expect(text).toMatch(new RegExp(`\`(ppn )?${name}\\b`))
  for (const option of command.options) expect(text).toContain(option.short ?? option.long)
})

test.each(verbs)('`$name --help` ends with 0 and says what it does', async ({ name, command }) => {
  const { io, said } = recordingIo()
  expect(await main(io, [...name.split(' '), '--help'])).toBe(0)
  expect(said.out).toContain(`Usage: ppn ${name}`)
  expect(said.out.replaceAll(/\s+/g, ' ')).toContain(command.description())
})

test.each([
  [['gett']],
  [['get']],
  [['get', 'nodes', '-o', 'xml']],
  [['up', '.', '--no-such-flag']],
  [['completion', 'tcsh']],
])('a wrong command line, %j, ends with 64', async (args) => {
  const { io, said } = recordingIo()
  expect(await main(io, args)).toBe(64)
  expect(said.err).not.toContain('    at ')
})

test('without a fleet a verb that needs one ends with 69 and a hint', async () => {
  const { io, said } = recordingIo()
  expect(await main(io, ['events'])).toBe(69)
  expect(said.err).toMatch(/^ppn: no fleet is known under .*\nhint: start one with `ppn up DIR`/)
})
