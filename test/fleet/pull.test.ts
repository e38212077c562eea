// examples/gitops/pull: a folder that follows a git branch.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { runOk, systemProcesses } from '../../base/processes.ts'
import { node } from '../conformance/store/documents.ts'

const ROOT = join(import.meta.dirname, '../..')
const PULL = join(ROOT, 'examples/gitops/pull/ppn-pull')
const processes = systemProcesses()
const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

/** An upstream repository, a person's clone of it, and the machine's, whose folder `fleet/` is the fleet. */
async function repositories() {
  const top = mkdtempSync(join(tmpdir(), 'ppn-pull-'))
  folders.push(top)
  const [upstream, person, machine] = [join(top, 'upstream.git'), join(top, 'person'), join(top, 'machine')]
  const env = {
    ...{
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a@example',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a@example',
    },
    ...{ GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null', HOME: top },
  }
  const git = (cwd: string, ...args: string[]) => runOk(processes, 'git', args, { cwd, env, timeoutMs: 60_000 })
  await git(top, 'init', '-q', '--bare', '-b', 'main', upstream)
  await git(top, 'clone', '-q', upstream, person)
  await git(person, 'symbolic-ref', 'HEAD', 'refs/heads/main')
  const push = async (name: string, text: string, ...how: string[]) => {
    mkdirSync(join(person, 'fleet'), { recursive: true })
    writeFileSync(join(person, 'fleet', name), text)
    await git(person, 'add', '-A')
    await git(person, 'commit', '-q', '-m', name, ...how)
    await git(person, 'push', '-q', '--force', '-u', 'origin', 'main')
  }
  await push('edge-1.yaml', stringify(node('edge-1')))
  await git(top, 'clone', '-q', upstream, machine)
  const fleet = join(machine, 'fleet')
  return {
    push,
    fleet,
    file: (name: string) => readFileSync(join(fleet, name), 'utf8'),
    head: async () => (await git(machine, 'rev-parse', 'HEAD')).trim(),
    worktrees: async () => (await git(machine, 'worktree', 'list')).trim().split('\n').length,
    pull: () =>
      processes.run(PULL, [fleet], {
        env: { ...env, PPN: `${process.execPath} ${join(ROOT, 'cli/main.ts')}` },
        timeoutMs: 120_000,
      }),
  }
}

test('a commit that reads well arrives; without news nothing happens; nothing is left behind', async () => {
  const r = await repositories()
  expect(await r.pull()).toMatchObject({ exitCode: 0, stderr: '' })
  await r.push('edge-1.yaml', stringify(node('edge-1', { isolated: true })))
  expect(await r.pull()).toMatchObject({ exitCode: 0 })
  expect(r.file('edge-1.yaml')).toContain('isolated: true')
  expect(await r.worktrees()).toBe(1)
})

test('a commit with an error is named and refused as a whole; the one that mends it is taken', async () => {
  const r = await repositories()
  const before = await r.head()
  await r.push('edge-2.yaml', stringify(node('edge-2', { site: 'onprm' })))
  const refused = await r.pull()
  expect(refused.exitCode).toBe(1)
  expect(refused.stderr).toMatch(/edge-2\.yaml:\d+:\d+/)
  expect(refused.stderr).toContain('did you mean onprem?')
  expect(await r.head()).toBe(before)
  expect(await r.worktrees()).toBe(1)
  await r.push('edge-2.yaml', stringify(node('edge-2')))
  expect(await r.pull()).toMatchObject({ exitCode: 0 })
  expect(r.file('edge-2.yaml')).toContain('edge-2')
})

test('a rewritten branch and local changes are left to a person', async () => {
  const r = await repositories()
  const before = await r.head()
  await r.push('edge-1.yaml', stringify(node('edge-1', { site: 'cloud' })), '--amend')
  expect(await r.pull()).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('was rewritten') })
  writeFileSync(join(r.fleet, 'mine.yaml'), stringify(node('mine')))
  expect(await r.pull()).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('changes of its own') })
  expect(await r.head()).toBe(before)
})
