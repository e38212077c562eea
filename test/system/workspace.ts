// A folder of its own for a test: a fleet, a state home, and the `ppn` command on the Node that the machine has.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { endAll, type Result, type Running, run, start } from './processes.ts'

export const REPOSITORY = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

export interface Workspace {
  root: string
  /** A copy of examples/office in the mesh 10.90.N.0/24. */
  fleet: string
  /** $XDG_STATE_HOME of everything started here. */
  stateHome: string
  state: string
  env: NodeJS.ProcessEnv
  /** `ppn ARG ...`, from the repository, under the machine's own Node. */
  ppn(...args: string[]): Promise<Result>
  startPpn(...args: string[]): Running
  /** `ppn up` of the fleet with its machines; resolves once it is Ready. */
  up(...args: string[]): Promise<Running>
  /** Changes a file of the fleet. */
  edit(file: string, change: (text: string) => string): void
  read(file: string): string
  /** Ends what was started, removes the folder. */
  close(): Promise<void>
}

/** PATH without what npm scripts put in front, so that `node` is the machine's. */
function plainPath(): string {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .join(delimiter)
}

/** The fleet's addresses moved into the mesh 10.90.N.0/24: each test has machines of its own. */
export function moveMesh(folder: string, n: number): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.yaml')) continue
    const file = join(entry.parentPath, entry.name)
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/\b10\.8\.0\./g, `10.90.${n}.`))
  }
}

export function environment(root: string, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: plainPath(),
    XDG_STATE_HOME: join(root, 'state'),
    HOME: process.env.HOME,
    ...more,
  }
  for (const name of Object.keys(env))
    if (/^(npm_|VITEST|PPN_|FORCE_COLOR|NODE_OPTIONS|NO_COLOR|TEST$)/.test(name) && !(name in more)) delete env[name]
  return env
}

export function workspace(n: number): Workspace {
  const root = mkdtempSync(join(tmpdir(), 'ppn-system-'))
  const fleet = join(root, 'office')
  const stateHome = join(root, 'state')
  mkdirSync(stateHome)
  cpSync(join(REPOSITORY, 'examples', 'office'), fleet, { recursive: true })
  moveMesh(fleet, n)
  const env = environment(root)
  const launcher = join(REPOSITORY, 'bin', 'ppn.mjs')
  const startPpn = (...args: string[]) => start('node', [launcher, ...args], { cwd: root, env })
  const read = (file: string) => readFileSync(join(fleet, file), 'utf8')
  return {
    root,
    fleet,
    stateHome,
    state: join(stateHome, 'ppn', 'office'),
    env,
    ppn: (...args) => run('node', [launcher, ...args], { cwd: root, env }),
    startPpn,
    async up(...args) {
      const running = startPpn('up', fleet, '--simulate', '--metrics-port', '0', ...args)
      await running.until(/the fleet is Ready/, { withinMs: 120_000 })
      return running
    },
    edit: (file, change) => writeFileSync(join(fleet, file), change(read(file))),
    read,
    async close() {
      await endAll(root)
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** What a fresh clone holds: every file that git knows or would take. */
export function cleanCopy(target: string): void {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { cwd: REPOSITORY })
  for (const file of listed.toString('utf8').split('\0')) {
    if (file === '' || !existsSync(join(REPOSITORY, file))) continue
    mkdirSync(dirname(join(target, file)), { recursive: true })
    cpSync(join(REPOSITORY, file), join(target, file))
  }
}
