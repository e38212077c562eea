// `npm run lab` as a person meets it: what it says, and what is left after a crash.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { systemProcesses } from '../../../base/processes.ts'
import { isUp } from '../../lab/marks.ts'
import { becomes } from '../../lab/ready.ts'
import { REPOSITORY } from '../../lab/repository.ts'

const root = mkdtempSync(join(tmpdir(), 'ppn-lab-'))
const folder = join(root, 'lab')
const PROGRAM = join(REPOSITORY, 'test', 'lab', 'main.ts')
const env = { PPN_LAB_FOLDER: folder }
const lab = (...args: string[]) =>
  systemProcesses().run(process.execPath, [PROGRAM, ...args], { cwd: REPOSITORY, env, timeoutMs: 120_000 })

afterAll(async () => {
  await lab('down')
  rmSync(root, { recursive: true, force: true })
})

test('a lab that was killed while it came up is no lab, and `down` leaves nothing of it', async () => {
  const up = spawn(process.execPath, [PROGRAM, 'up', 'examples/office'], {
    cwd: REPOSITORY,
    env: { ...process.env, ...env },
    stdio: 'ignore',
  })
  const record = () => JSON.parse(readFileSync(join(folder, 'lab.json'), 'utf8')) as { id: string }
  await becomes(60_000, async () => existsSync(join(folder, 'lab.json')) && isUp(record().id))
  up.kill('SIGKILL')
  const { id } = record()
  expect(await lab('down')).toMatchObject({ exitCode: 0, stdout: 'the lab is down; nothing of it is left\n' })
  expect(isUp(id)).toBe(false)
  expect(existsSync(folder)).toBe(false)
  expect(await lab('down')).toMatchObject({ exitCode: 0, stdout: 'there was no lab\n' })
})

test('what cannot be done is said with what can', async () => {
  expect(await lab('status')).toMatchObject({
    exitCode: 2,
    stderr: 'lab: no lab is up: npm run lab up examples/office\n',
  })
  expect(await lab('upp')).toMatchObject({ exitCode: 2 })
  expect((await lab('up', 'no/such/folder')).stderr).toMatch(/no\/such\/folder.* cannot be read/)
  expect((await lab('up')).exitCode).toBe(64)
})
