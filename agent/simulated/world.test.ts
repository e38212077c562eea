import { expect, test } from 'vitest'
import { memoryFiles } from '../../testing/memory-files.ts'
import { fileWorld, learnEndpoint } from './world.ts'

test('a machine stands where it was first declared, whatever is declared of it later', async () => {
  const world = fileWorld(memoryFiles())
  await learnEndpoint(world, 'relay.example:51820', '10.8.0.1')
  await learnEndpoint(world, 'wrong.example:51820', '10.8.0.1')
  await learnEndpoint(world, 'relay.example:51820', '10.8.0.9')
  expect(await world.directory()).toEqual({ 'relay.example:51820': '10.8.0.1' })
})

test('the directory outlives the process, and what is learnt at once is all kept', async () => {
  const files = memoryFiles()
  const world = fileWorld(files)
  await Promise.all([world.learn('a.example:1', '10.8.0.1'), world.learn('b.example:1', '10.8.0.2')])
  expect(await fileWorld(files).directory()).toEqual({ 'a.example:1': '10.8.0.1', 'b.example:1': '10.8.0.2' })
})
