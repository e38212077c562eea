import { expect, test } from 'vitest'
import { startFleet } from './harness.ts'
import { office } from './objects.ts'

test('a declared fleet converges, and then nothing is sent', async () => {
  const fleet = await startFleet(office())
  await fleet.untilReady()
  expect(fleet.condition('Archive', 'cluster-totebox-test-2')).toEqual({ status: 'True', reason: expect.any(String) })
  await fleet.stop()
})
