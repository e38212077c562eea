import { expect, test } from 'vitest'
import { crashFiles } from '../../testing/crash-files.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { identityOf, initAgentKeys, makePendingKey, promotePendingKey, publicHalves } from './agent-keys.ts'

const random = seededRandom('keys')

test('keys are made once, and each has its own file', async () => {
  const files = memoryFiles()
  const made = await initAgentKeys(files, random)
  expect(await initAgentKeys(files, random)).toEqual(made)
  expect(await files.sub('keys').list()).toEqual(['command', 'signing', 'wireguard'])
  expect(await identityOf(files)).toEqual(publicHalves(made))
})

test('a start cut short makes only what is missing', async () => {
  const files = memoryFiles()
  await expect(initAgentKeys(crashFiles(files, 1), random)).rejects.toThrow()
  const wireguard = await files.sub('keys').read('wireguard')
  expect((await initAgentKeys(files, random)).wireguard.secretKey).toEqual(wireguard)
})

test('a damaged key is said and never replaced', async () => {
  const files = memoryFiles()
  await initAgentKeys(files, random)
  await files.sub('keys').write('command', Buffer.alloc(31))
  await expect(initAgentKeys(files, random)).rejects.toMatchObject({ code: 'AgentKeyUnreadable' })
  expect(await files.sub('keys').read('command')).toHaveLength(31)
})

test('before there are keys there is no identity', async () => {
  await expect(identityOf(memoryFiles())).rejects.toMatchObject({ code: 'AgentKeyUnreadable' })
})

test.each([0, 1, 2])('a pending key taken into use is there after a crash at write %i', async (writes) => {
  const files = memoryFiles()
  const keys = await makePendingKey(files, await initAgentKeys(files, random), 'command', random)
  const pending = keys.pending.command!.publicKey
  await promotePendingKey(crashFiles(files, writes), keys, 'command').catch(() => {})
  const after = await initAgentKeys(files, random)
  const again = await promotePendingKey(files, after, 'command')
  expect([again.command.publicKey, again.pending]).toEqual([pending, {}])
})
