import { expect, test } from 'vitest'
import { silentLogger } from '../../base/log.ts'
import { memoryFiles } from '../../testing/memory-files.ts'
import { memoryNetwork } from '../../testing/memory-network.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { beginLife, mortal, mortalClock, mortalTransport } from './mortal.ts'

const never = () => new AbortController().signal

/** Did the promise settle, either way? */
async function settled(promise: Promise<unknown>, turns = 20): Promise<boolean> {
  let done = false
  promise.then(
    () => {
      done = true
    },
    () => {
      done = true
    },
  )
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
  return done
}

test('a timer of the dead never fires, their sleep never ends, and neither stays behind', async () => {
  const clock = virtualClock()
  const life = beginLife()
  const own = mortalClock(clock, life)
  let fired = 0
  own.after(10, () => void fired++)
  own.after(1_000, () => void fired++)
  const slept = own.sleep(1_000)
  await clock.advance(10)
  life.die()
  own.after(5, () => void fired++)
  await clock.advance(5_000)
  expect(fired).toBe(1)
  expect(await settled(slept)).toBe(false)
  expect(await settled(own.sleep(1))).toBe(false)
  expect(clock.pending()).toBe(0)
})

test('while alive, timers and sleeps are those of the clock', async () => {
  const clock = virtualClock()
  const own = mortalClock(clock, beginLife())
  let fired = 0
  own.after(10, () => void fired++).cancel()
  own.after(10, () => void fired++)
  const stop = new AbortController()
  const slept = own.sleep(50, stop.signal)
  await clock.advance(10)
  stop.abort(new Error('enough'))
  await expect(slept).rejects.toThrow('enough')
  expect([own.now(), own.monotonic(), fired]).toEqual([clock.now(), clock.monotonic(), 1])
})

test('files of the dead are left as they were, in folders below as well', async () => {
  const files = memoryFiles()
  const life = beginLife()
  const own = mortal(files, life)
  await own.sub('keys').write('a', new Uint8Array([1]))
  const sub = own.sub('keys')
  life.die()
  expect(await settled(sub.write('b', new Uint8Array([2])))).toBe(false)
  expect(await settled(own.sub('keys').remove('a'))).toBe(false)
  expect([...files.dump().keys()]).toEqual(['keys/a'])
})

test('a write under way at death may land, but nobody alive learns of it', async () => {
  const life = beginLife()
  let land = () => {}
  const own = mortal({ write: () => new Promise<void>((resolve) => (land = resolve)) }, life)
  const written = own.write()
  life.die()
  land()
  expect(await settled(written)).toBe(false)
})

test('subscriptions end at death, and a dead hand may still unsubscribe', () => {
  const listeners = new Set<() => void>()
  const driver = {
    onChange: (fn: () => void) => {
      listeners.add(fn)
      return () => void listeners.delete(fn)
    },
  }
  const life = beginLife()
  const own = mortal(driver, life)
  own.onChange(() => {})
  expect(listeners.size).toBe(1)
  life.die()
  expect(listeners.size).toBe(0)
  own.onChange(() => {})()
  expect(listeners.size).toBe(0)
  mortal(silentLogger(), life).child({}).info('a dead hand may still log, unheard')
})

test('sockets close at death without a goodbye: ports are free, streams end, nothing arrives', async () => {
  const clock = virtualClock()
  const network = memoryNetwork(clock)
  const life = beginLife()
  const own = mortalTransport(network.transport(), life)
  const other = network.transport()
  let heard = 0
  const udp = await own.bindUdp('10.8.0.2', 8090, () => void heard++)
  await own.listen('10.8.0.2', 8092, () => void heard++)
  await other.listen('10.8.0.1', 8091, ({ stream }) => void stream.on('error', () => {}).resume())
  const { stream } = await own.connect('10.8.0.2', '10.8.0.1', 8091, never())
  let closed = false
  stream
    .on('error', () => {})
    .on('close', () => {
      closed = true
    })
  life.die()
  await clock.advance(10)
  expect(closed).toBe(true)
  const sender = await other.bindUdp('10.8.0.1', 8090, () => {})
  await sender.send(new Uint8Array(1), '10.8.0.2', 8090)
  await clock.advance(10)
  expect(heard).toBe(0)
  expect(await settled(udp.send(new Uint8Array(1), '10.8.0.1', 8090))).toBe(false)
  expect(await settled(own.bindUdp('10.8.0.2', 8090, () => {}))).toBe(false)
  expect(await settled(own.listen('10.8.0.2', 8092, () => {}))).toBe(false)
  expect(await settled(own.connect('10.8.0.2', '10.8.0.1', 8091, never()))).toBe(false)
  await other.bindUdp('10.8.0.2', 8090, () => {})
  await other.listen('10.8.0.2', 8092, () => {})
})
