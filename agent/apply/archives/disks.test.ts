import { expect, test } from 'vitest'
import { OP, POWER } from '../../../protocol/command/ops.ts'
import { verifyRelease } from '../../../protocol/release.ts'
import { agentBench } from '../../../testing/agent-bench.ts'
import { anArchive } from '../../../testing/bundle-fixtures.ts'
import { crashFiles } from '../../../testing/crash-files.ts'

const one = anArchive({ slot: 1 })

/** An archive that runs, then a bundle that removes it. */
async function removed(remove: 'Retain' | 'Delete') {
  const bench = await agentBench()
  const agent = await bench.enrolled({ archives: [one] })
  await bench.authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await bench.clock.advance(5_000)
  const bytes = bench.authority.bundle({
    revision: 2,
    switch: 'onReceipt',
    content: { archives: [{ ...one, remove }] },
  })
  await bench.authority.push(bytes)
  await bench.clock.advance(10_000)
  return { ...bench, agent }
}

test('a removed archive is stopped and given up, signed, and its disk is kept', async () => {
  const { authority, agent, drivers, keys } = await removed('Retain')
  const report = authority.report()!
  expect(report.archives).toMatchObject([{ lifecycle: 'Removed' }])
  expect(report.retainedDisks).toMatchObject([{ id: one.id, namespace: 'default', name: one.name }])
  expect(await drivers.image.disk(one.id)).toBeDefined()
  const [release] = report.releases
  const { meshId, nodeId } = authority.ids
  const record = { meshId, nodeId, archive: one.id, fencingEpoch: 1 }
  expect(verifyRelease(record, release!.signature, keys.signing.publicKey)).toBe(true)
  expect(verifyRelease({ ...record, fencingEpoch: 2 }, release!.signature, keys.signing.publicKey)).toBe(false)
  await agent.stop()
})

test('a deleted archive leaves no disk behind', async () => {
  const { authority, agent, drivers } = await removed('Delete')
  expect(authority.report()).toMatchObject({ archives: [{ lifecycle: 'Removed' }], retainedDisks: [] })
  expect(await drivers.image.list()).toEqual([])
  await agent.stop()
})

test('law 7: what was given up is not started again, not even by a bundle that lists it anew', async () => {
  const { authority, agent, clock, drivers } = await removed('Retain')
  await authority.push(authority.bundle({ revision: 3, switch: 'onReceipt', content: { archives: [one] } }))
  await clock.advance(1_000)
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.advance(60_000)
  expect(authority.report()?.archives).toMatchObject([{ lifecycle: 'Failed', errorCode: 'FenceRefused' }])
  expect((await drivers.vm.list()).every((vm) => vm.lifecycle === 'stopped')).toBe(true)
  await agent.stop()
})

test('a retained disk is adopted by one archive of its namespace and image, and by no second one', async () => {
  const { authority, agent, clock, drivers } = await removed('Retain')
  const adopter = anArchive({ slot: 2, image: one.image, adoptDisk: one.id })
  const rival = anArchive({ slot: 3, image: one.image, adoptDisk: one.id })
  const foreign = anArchive({ slot: 4, image: one.image, adoptDisk: one.id, namespace: 'other' })
  await authority.push(authority.bundle({ revision: 3, switch: 'onReceipt', content: { archives: [adopter] } }))
  await clock.advance(1_000)
  const archives = [adopter, rival, foreign]
  await authority.push(authority.bundle({ revision: 4, switch: 'onReceipt', content: { archives } }))
  await clock.advance(1_000)
  await authority.send(OP.POWER, { slot: 2, value: POWER.start })
  await clock.advance(15_000)
  expect(authority.report()?.archives).toMatchObject([
    { lifecycle: 'Running' },
    { lifecycle: 'Failed', errorCode: 'AdoptRefused' },
    { lifecycle: 'Failed', errorCode: 'AdoptRefused' },
  ])
  expect(authority.report()?.retainedDisks).toEqual([])
  expect(await drivers.image.list()).toHaveLength(1)
  // Given up in its turn, the disk can be had again.
  const ending = [{ ...adopter, remove: 'Retain' as const }]
  await authority.push(authority.bundle({ revision: 5, switch: 'onReceipt', content: { archives: ending } }))
  await clock.advance(45_000)
  expect(authority.report()?.retainedDisks).toMatchObject([{ id: one.id, name: adopter.name }])
  await agent.stop()
})

test('a running archive that the bundle no longer lists is left as it is and reported', async () => {
  const { clock, authority, enrolled, calls } = await agentBench()
  const agent = await enrolled({ archives: [one] })
  await authority.send(OP.POWER, { slot: 1, value: POWER.start })
  await clock.advance(5_000)
  const before = [...calls]
  await authority.push(authority.bundle({ revision: 2, switch: 'onReceipt', content: { archives: [] } }))
  await clock.advance(60_000)
  expect(authority.report()?.archives).toMatchObject([
    { id: one.id, unlisted: true, lifecycle: 'Running', name: one.name },
  ])
  expect(calls).toEqual(before)
  await authority.send(OP.POWER, { slot: 1, value: POWER.stop })
  await clock.advance(5_000)
  expect(authority.report()).toMatchObject({ refusals: { UnknownSlot: 1 }, archives: [{ lifecycle: 'Running' }] })
  await agent.stop()
})

test('an image that is not what was declared makes no disk, and says so', async () => {
  const { clock, authority, enrolled, drivers } = await agentBench()
  const wrong = { ...one, image: { ...one.image, sha256: 'f'.repeat(64) } }
  const agent = await enrolled({ archives: [wrong] })
  await clock.advance(1_000)
  expect(authority.report()?.archives).toMatchObject([
    { lifecycle: 'Failed', imageReady: false, errorCode: 'ImageDigestMismatch' },
  ])
  expect(await drivers.image.list()).toEqual([])
  await agent.stop()
})

test.each(Array.from({ length: 25 }, (_, k) => k))(
  'a node that dies after %i writes never runs an archive twice and comes to what was declared',
  async (writes) => {
    const { clock, authority, files, start, enrolled, calls, drivers } = await agentBench()
    await (await enrolled()).stop()
    const dying = await start(crashFiles(files, writes)).catch(() => undefined)
    await clock.advance(1_000)
    const bytes = authority.bundle({ revision: 2, switch: 'onReceipt', content: { archives: [one] } })
    if (dying) {
      await authority.push(bytes).catch(() => undefined)
      await clock.advance(1_000)
      await authority.send(OP.POWER, { slot: 1, value: POWER.start })
      await clock.advance(5_000)
      await dying.stop()
    }
    const next = await start()
    await clock.advance(2_000)
    await authority.push(bytes)
    await clock.advance(1_000)
    await authority.send(OP.POWER, { slot: 1, value: POWER.start })
    await clock.advance(40_000)
    expect(next.report()?.archives).toMatchObject([{ lifecycle: 'Running', imageReady: true }])
    expect(calls.filter((call) => call === 'start')).toHaveLength(1)
    expect(await drivers.image.list()).toHaveLength(1)
    await next.stop()
  },
)
