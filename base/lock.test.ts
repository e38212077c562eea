import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { holdAbstractLock } from './lock.ts'

const aName = () => `ppn-test-${randomBytes(8).toString('hex')}`
const held = expect.objectContaining({ code: 'FileLocked' })

test('a name is held by one at a time, and free again after its release', async () => {
  const name = aName()
  const lock = await holdAbstractLock(name)
  await expect(holdAbstractLock(name)).rejects.toEqual(held)
  await lock.release()
  await (await holdAbstractLock(name)).release()
})

test('names too long for a socket are told apart all the same', async () => {
  const long = aName().padEnd(200, 'x')
  const lock = await holdAbstractLock(long)
  await expect(holdAbstractLock(long)).rejects.toEqual(held)
  await (await holdAbstractLock(`${long}y`)).release()
  await lock.release()
})

test('the lock of a process that was killed is free', async () => {
  const name = aName()
  const script = `
    import { holdAbstractLock } from ${JSON.stringify(new URL('./lock.ts', import.meta.url).href)}
    await holdAbstractLock(${JSON.stringify(name)})
    process.stdout.write('held')
    setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  await expect(holdAbstractLock(name)).rejects.toEqual(held)
  child.kill('SIGKILL')
  await once(child, 'exit')
  await (await holdAbstractLock(name)).release()
})
