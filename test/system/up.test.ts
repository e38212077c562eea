// `npm run up` in a fresh clone, as the README says it.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { endAll, processesOf, run } from './processes.ts'
import { startOnTerminal } from './terminal.ts'
import { cleanCopy, environment, moveMesh } from './workspace.ts'

const ESC = '\u001b'
let root: string
let clone: string
let options: { cwd: string; env: NodeJS.ProcessEnv }

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'ppn-clone-'))
  clone = join(root, 'ppn')
  mkdirSync(join(root, 'state'))
  cleanCopy(clone)
  moveMesh(join(clone, 'examples', 'office'), 1)
  options = { cwd: clone, env: environment(root, { npm_config_ignore_scripts: 'true' }) }
})
afterAll(async () => {
  await endAll(root)
  rmSync(root, { recursive: true, force: true })
})

test('a fresh clone installs itself and converges, in plain lines without a terminal', async () => {
  expect(existsSync(join(clone, 'node_modules'))).toBe(false)
  const up = await run('npm', ['run', 'up', '--', '--once', '--metrics-port', '0'], options)
  expect(up.err).toContain('installing what package-lock.json names')
  expect(up.code, up.out + up.err).toBe(0)
  expect(up.out).toContain('the fleet is Ready: 3 nodes, 3 archives, 2 pools')
  expect(up.out).not.toContain(ESC)
  expect(existsSync(join(root, 'state', 'ppn', 'office', 'ppn.db'))).toBe(true)
  expect(processesOf(root)).toEqual([])
})

test('on a terminal the view is redrawn in place, with colours, and Ctrl-C ends it all', async () => {
  const up = startOnTerminal('npm', ['run', '--silent', 'up', '--', '--metrics-port', '0'], options)
  await up.until(/Ready: 3 nodes, 3 archives, 2 pools/, { withinMs: 120_000 })
  expect(up.output()).not.toContain('installing')
  expect(up.output()).toMatch(new RegExp(`${ESC}\\[\\d+A${ESC}\\[0J`))
  expect(up.output()).toContain(`${ESC}[32m`)
  up.write('\u0003')
  await up.ended
  expect(processesOf(root)).toEqual([])
})

test('NO_COLOR keeps the view and leaves out the colours; no line is wider than the terminal', async () => {
  const env = { ...options.env, NO_COLOR: '1' }
  const up = startOnTerminal(
    'npm',
    ['run', '--silent', 'up', '--', '--once', '--metrics-port', '0'],
    { ...options, env },
    { rows: 30, columns: 72 },
  )
  const { code } = await up.ended
  expect(code, up.output()).toBe(0)
  expect(up.output()).toContain(`${ESC}[0J`)
  expect(up.output()).not.toMatch(new RegExp(`${ESC}\\[[0-9;]*m`))
  const drawn = up
    .output()
    .replaceAll(new RegExp(`${ESC}\\[\\d+[AJ]`, 'g'), '')
    .split(/\r?\n/)
  const screen = drawn.filter((line) => /^[●✖○]/u.test(line))
  expect(screen.length).toBeGreaterThan(0)
  expect(Math.max(...screen.map((line) => line.length))).toBeLessThanOrEqual(72)
})
