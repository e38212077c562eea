import { expect, test } from 'vitest'
import { memoryFiles } from '../testing/memory-files.ts'
import { virtualClock } from '../testing/virtual-clock.ts'
import { BRAKE_FILE, BRAKE_MAX_AGE_MS, fileBrake } from './brake.ts'

function setUp() {
  const files = memoryFiles()
  const clock = virtualClock()
  return { files, clock, brake: fileBrake({ files, clock }) }
}

test('without the file the way is free; with it, it is not, and its text is the reason', async () => {
  const { files, brake } = setUp()
  expect(await brake.guard()).toBe(true)
  await files.write(BRAKE_FILE, Buffer.from('maintenance\n'))
  expect(await brake.read()).toEqual({ set: true, reason: 'maintenance' })
  expect(await brake.guard()).toBe(false)
})

test('an empty file is a brake', async () => {
  const { files, brake } = setUp()
  await files.write(BRAKE_FILE, new Uint8Array())
  expect(await brake.read()).toEqual({ set: true, reason: 'no reason given' })
})

test('it is set until it was read, and when it cannot be read', async () => {
  const { files, brake } = setUp()
  expect(brake.last().set).toBe(true)
  files.read = async () => {
    throw new Error('EACCES')
  }
  expect(await brake.guard()).toBe(false)
  expect(brake.last().reason).toContain('EACCES')
})

test('no answer is older than 5 s, and within them the file is read once', async () => {
  const { files, clock, brake } = setUp()
  let reads = 0
  const { read } = files
  files.read = (name) => {
    reads++
    return read(name)
  }
  await brake.guard()
  await files.write(BRAKE_FILE, Buffer.from('stop'))
  await clock.advance(BRAKE_MAX_AGE_MS - 1)
  expect(await brake.guard()).toBe(true)
  expect(reads).toBe(1)
  await clock.advance(1)
  expect(await brake.guard()).toBe(false)
})

test('a slow reading does not overrule a later one', async () => {
  const { files, clock, brake } = setUp()
  const gates: ((bytes: Uint8Array | undefined) => void)[] = []
  files.read = () => new Promise((resolve) => gates.push(resolve))
  const slow = brake.read()
  await clock.advance(1)
  const later = brake.read()
  gates[1]?.(Buffer.from('stop'))
  await later
  gates[0]?.(undefined)
  expect((await slow).set).toBe(true)
  expect(brake.last().set).toBe(true)
})

test('who watches is told when it is set and lifted, once each', async () => {
  const { files, clock, brake } = setUp()
  const told: boolean[] = []
  const stop = new AbortController()
  brake.watch(stop.signal)
  await clock.settle()
  brake.subscribe((state) => told.push(state.set))
  await files.write(BRAKE_FILE, Buffer.from('stop'))
  await clock.advance(10_000)
  await files.remove(BRAKE_FILE)
  await clock.advance(10_000)
  expect(told).toEqual([true, false])
  stop.abort()
  expect(clock.pending()).toBe(0)
})
