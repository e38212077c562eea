// One host of the lab: what is private to it, and that nothing stays of it.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { afterEach, expect, test } from 'vitest'
import { runOk, systemProcesses } from '../../../base/processes.ts'
import { endMarked, isUp, type LabMark, markEnv, newMark, sweepOrphans } from '../../lab/marks.ts'
import { makeNamespace } from '../../lab/namespace.ts'

const processes = systemProcesses()
const marks: LabMark[] = []
const aMark = (owned = true) => {
  const mark = newMark(owned)
  marks.push(mark)
  return mark
}
afterEach(async () => {
  for (const { id } of marks.splice(0)) await endMarked(id)
})

test('a host has a name, interfaces, a runtime folder and a hosts file of its own', async () => {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
  const hosts = { 'relay.example': '198.51.100.1' }
  const host = await makeNamespace({ processes, mark: aMark(), name: 'relay', hosts })
  const inside = (program: string, ...args: string[]) => runOk(host.processes, program, args)
  expect(await inside('hostname')).toBe('relay\n')
  expect((await inside('ip', '-brief', 'link')).trim().split('\n')).toHaveLength(1)
  expect(await inside('ls', '/var/run/wireguard')).toBe('')
  expect(await inside('getent', 'hosts', 'relay.example')).toMatch(/^198\.51\.100\.1 /)
  await inside('touch', '/var/run/wireguard/private')
  expect(existsSync('/var/run/wireguard/private')).toBe(false)
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(mounts)
})

test('programs run inside, with input, environment and folder, and a missing one is named', async () => {
  const host = await makeNamespace({ processes, mark: aMark(), name: 'one' })
  const options = { input: 'abc', env: { WHAT: 'that' }, cwd: '/tmp' }
  const ran = await host.processes.run('sh', ['-c', 'cat; echo "$WHAT $(pwd)"; exit 3'], options)
  expect(ran).toEqual({ exitCode: 3, stdout: 'abcthat /tmp\n', stderr: '' })
  await expect(host.processes.run('no-such-program', [])).rejects.toMatchObject({ code: 'ProgramMissing' })
})

test('what went on by itself inside ends with the lab, also without the mark, and nothing else does', async () => {
  const [mark, other] = [aMark(), aMark()]
  const host = await makeNamespace({ processes, mark, name: 'one' })
  await makeNamespace({ processes, mark: other, name: 'two' })
  const [program, ...args] = host.command('setsid', ['env', '-i', '/bin/sleep', '600'])
  const child = spawn(program, args, { stdio: 'ignore' })
  const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)))
  await expect.poll(() => readFileSync(`/proc/${child.pid}/cmdline`, 'utf8')).toContain('/bin/sleep')
  await endMarked(mark.id)
  expect(await ended).toBe('SIGKILL')
  expect(isUp(mark.id)).toBe(false)
  expect(isUp(other.id)).toBe(true)
})

test('a lab whose owner died is swept; one of a living owner, or of nobody, is left', async () => {
  const dead = { ...aMark(), owner: { pid: process.pid, started: '1' } }
  const [owned, free] = [aMark(), aMark(false)]
  for (const mark of [dead, owned, free]) await makeNamespace({ processes, mark, name: 'one' })
  expect(markEnv(free)).not.toHaveProperty('PPN_LAB_OWNER')
  await sweepOrphans()
  expect([dead, owned, free].map(({ id }) => isUp(id))).toEqual([false, true, true])
})
