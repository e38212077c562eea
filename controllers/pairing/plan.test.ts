import { expect, test } from 'vitest'
import { type Run, runControllers } from '../testing/run.ts'
import { pairingController } from './controller.ts'

const SPEC = { nodeName: 'laptop', rendezvous: 'A1B2', code: '0123-4567' }

async function declared(): Promise<Run> {
  const run = runControllers((world) => [pairingController(world)])
  run.fake.store.put('Pairing', 'p', SPEC)
  await run.settle()
  return run
}

const status = (run: Run) => run.fake.store.get('Pairing', 'p')?.status
const reason = (run: Run, type: string) => {
  const found = status(run)?.conditions.find((c) => c.type === type)
  return found && `${found.status} ${found.reason}`
}

test('a Pairing says that this version does not serve it, once', async () => {
  const run = await declared()
  run.enqueue('pairing', 'Pairing/p', 'again')
  await run.settle()
  expect(status(run)?.phase).toBe('Pending')
  expect(reason(run, 'Ready')).toBe('False NotYetServed')
  expect(reason(run, 'Stalled')).toBe('True NotYetServed')
  expect(run.fake.recorded.map((event) => event.reason)).toEqual(['NotYetServed'])
})

test('it goes when it is deleted, also as the last of its kind: an act is not held', async () => {
  const run = await declared()
  run.fake.store.bury('Pairing/p')
  await run.settle()
  expect(run.fake.store.get('Pairing', 'p')).toBeUndefined()
})
