// `node hack/run.mjs NAME [ARG ...]`: the bootstrap behind every npm script. Installs what the lockfile names when it
// has changed since the last time, under a lock, then runs the task on Node 24. Plain Node 20 syntax, no dependency.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execInstead } from '../bin/exec.mjs'
import { findNode24, noNode24Message } from '../bin/node24.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const modules = join(root, 'node_modules')
const stamp = join(modules, '.ppn-installed')
const lock = join(root, 'node_modules.lock')

/** Task name -> arguments for Node 24. `{tool}` is a package's command-line entry. */
const TASKS = {
  up: ['cli/main.ts', 'up', 'examples/office', '--simulate'],
  ppn: ['cli/main.ts'],
  test: ['node_modules/vitest/vitest.mjs', 'run'],
  'test:system': ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/system/vitest.config.ts'],
  watch: ['node_modules/vitest/vitest.mjs', 'watch'],
  check: ['hack/check.ts'],
  generate: ['hack/generate.ts'],
  build: ['hack/build.ts'],
  bench: ['test/bench/run.ts'],
  'bench:memory': ['test/bench/memory/run.ts'],
  'bench:vm': ['test/bench/vm/run.ts'],
  'bench:lab': ['test/bench/lab/run.ts'],
  'bench:kube': ['test/bench/kube/run.ts'],
  fuzz: ['test/break-in/fuzz/main.ts'],
  lab: ['test/lab/main.ts'],
  guest: ['hack/guest/main.ts'],
  kube: ['hack/kube/main.ts'],
  image: ['hack/image/main.ts'],
  'test:kube': ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/kube/vitest.config.ts'],
}

const wanted = () =>
  createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(`${process.platform}-${process.arch}`)
    .digest('hex')

const installed = () => {
  try {
    return readFileSync(stamp, 'utf8')
  } catch {
    return undefined
  }
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const alive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

/** A folder can be made by one process only; a holder that died leaves one whose pid answers no more. */
async function withLock(work) {
  let waiting = false
  for (;;) {
    try {
      mkdirSync(lock)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    let holder = 0
    try {
      holder = Number(readFileSync(join(lock, 'pid'), 'utf8'))
    } catch {
      // Made but not yet signed: give the holder a moment before taking it for dead.
      const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now())
      if (age < 5000) holder = process.pid
    }
    if (!alive(holder)) {
      rmSync(lock, { recursive: true, force: true })
      continue
    }
    if (!waiting) process.stderr.write('ppn: another install is under way, waiting for it\n')
    waiting = true
    await sleep(200)
  }
  writeFileSync(join(lock, 'pid'), String(process.pid))
  try {
    return await work()
  } finally {
    rmSync(lock, { recursive: true, force: true })
  }
}

async function install() {
  if (installed() === wanted()) return
  await withLock(async () => {
    const hash = wanted()
    if (installed() === hash) return
    process.stderr.write('ppn: installing what package-lock.json names ...\n')
    // Lifecycle scripts are never needed; development and per-platform packages always are.
    // Not `npm ci`: it refuses a lockfile that lacks an optional package of some other platform, which it does when
    // the registry it was made with did not have it. This takes the same versions and digests, and writes nothing back.
    const args = [
      'install',
      '--no-save',
      '--ignore-scripts',
      '--include=dev',
      '--include=optional',
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
    ]
    const npm = process.env.npm_execpath
    const status = npm
      ? await execInstead(process.execPath, [npm, ...args], { cwd: root, exit: false })
      : await execInstead(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, { cwd: root, exit: false })
    if (status !== 0) {
      process.stderr.write(
        `ppn: npm install failed (exit code ${status}); mend what it says above and run the same command again\n`,
      )
      process.exit(status)
    }
    writeFileSync(stamp, hash)
  })
}

const [name = '', ...rest] = process.argv.slice(2)
const task = TASKS[name]
if (!task) {
  process.stderr.write(`usage: node hack/run.mjs ${Object.keys(TASKS).join('|')} [ARG ...]\n`)
  process.exit(64) // EX_USAGE of sysexits(3)
}
await install()
const node = findNode24()
if (!node) {
  process.stderr.write(noNode24Message())
  process.exit(69) // EX_UNAVAILABLE
}
// vitest's workers and whatever else starts `node` by name get this Node too.
const env = {
  ...process.env,
  PATH: `${dirname(node)}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH ?? ''}`,
}
await execInstead(node, [...task, ...rest], { cwd: root, env, tether: task[0] === 'cli/main.ts' })
