import { describe, expect, test } from 'vitest'
import { runOk, systemProcesses } from './processes.ts'

describe('programs', () => {
  const processes = systemProcesses()
  const node = (script: string, options = {}) => processes.run(process.execPath, ['-e', script], options)

  test('a program is run to its end, and its exit code is an answer', async () => {
    expect(await node('console.log("out"); console.error("err"); process.exit(3)')).toEqual({
      exitCode: 3,
      stdout: 'out\n',
      stderr: 'err\n',
    })
  })

  test('input is read from standard input, which is empty without one', async () => {
    const echo = 'process.stdin.on("data", (d) => process.stdout.write(d))'
    expect((await node(echo, { input: 'a secret' })).stdout).toBe('a secret')
    expect((await node(echo)).stdout).toBe('')
  })

  test('a program that is not there is named', async () => {
    await expect(processes.run('ppn-no-such-program', [])).rejects.toMatchObject({ code: 'ProgramMissing' })
  })

  test('one that takes too long is killed', async () => {
    await expect(node('setInterval(() => {}, 1000)', { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'ProgramTimedOut',
    })
  })

  test('one that a signal ended is told apart from one that failed', async () => {
    await expect(node('process.kill(process.pid, "SIGKILL")')).rejects.toMatchObject({ code: 'ProgramKilled' })
  })

  test('calling it off ends it, with the reason', async () => {
    const stop = new AbortController()
    const ran = node('setInterval(() => {}, 1000)', { signal: stop.signal })
    setImmediate(() => stop.abort(new Error('called off')))
    await expect(ran).rejects.toThrow('called off')
    await expect(node('', { signal: stop.signal })).rejects.toThrow('called off')
  })

  test('runOk gives the output, or says what failed and its last words', async () => {
    expect(await runOk(processes, process.execPath, ['-e', 'console.log(1)'])).toBe('1\n')
    await expect(
      runOk(processes, process.execPath, ['-e', 'console.error("why"); process.exit(2)']),
    ).rejects.toMatchObject({
      code: 'ProgramFailed',
      message: expect.stringContaining('why'),
    })
  })
})
