import { describe, expect, test } from 'vitest'
import { memoryNetwork } from '../../testing/memory-network.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import { gatedTransport } from './gate.ts'

const HERE = '10.8.0.2'
const HUB = '10.8.0.1'
const OTHER = '10.8.0.3'

/** A machine behind a gate whose routes the test opens and closes, and a hub without one. */
function scene() {
  const clock = virtualClock()
  const network = memoryNetwork(clock)
  const live = new Set([HUB])
  const listeners = new Set<() => void>()
  const counted: [string, number, number][] = []
  const here = gatedTransport(
    network.transport(),
    {
      live: (address) => live.has(address),
      count: (...entry) => void counted.push(entry),
      onChange: (listener) => {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
    },
    { clock },
  )
  const set = (address: string, up: boolean) => {
    if (up) live.add(address)
    else live.delete(address)
    for (const listener of listeners) listener()
  }
  return { clock, network, here, hub: network.transport(), set, counted }
}
const never = () => new AbortController().signal
const bytes = new Uint8Array([1, 2, 3])

describe('datagrams', () => {
  test('pass to and from a live route and to the machine itself, and vanish otherwise, counted', async () => {
    const { clock, here, hub, counted } = scene()
    const heard: string[] = []
    const own = await here.bindUdp(HERE, 8090, (_, from) => void heard.push(from))
    const [a, b] = [await hub.bindUdp(HUB, 8090, () => {}), await hub.bindUdp(OTHER, 8090, () => {})]
    await a.send(bytes, HERE, 8090)
    await b.send(bytes, HERE, 8090)
    await own.send(bytes, HERE, 8090)
    await own.send(bytes, OTHER, 8090)
    await clock.advance(10)
    expect(heard.sort()).toEqual([HUB, HERE])
    expect(here.counts()).toMatchObject({ udpIn: 1, udpOut: 1 })
    expect(counted).toContainEqual([HUB, 3, 0])
  })
})

describe('connections', () => {
  test('a connection from an address without a route is closed and never seen', async () => {
    const { clock, here, hub } = scene()
    let seen = 0
    await here.listen(HERE, 8092, () => void seen++)
    const connection = await hub.connect(OTHER, HERE, 8092, never())
    let closed = false
    connection.stream
      .on('error', () => {})
      .on('end', () => {
        closed = true
      })
      .resume()
    await clock.advance(10)
    expect([seen, closed, here.counts().tcpIn]).toEqual([0, true, 1])
  })

  test('a connection ends with its route, on both sides of the gate', async () => {
    const { clock, here, hub, set } = scene()
    const accepted: boolean[] = []
    await here.listen(HERE, 8092, ({ stream }) => {
      stream.on('error', () => {})
      stream.on('close', () => void accepted.push(true))
    })
    await hub.listen(HUB, 8091, ({ stream }) => void stream.on('error', () => {}).resume())
    const came = await hub.connect(HUB, HERE, 8092, never())
    came.stream.on('error', () => {}).resume()
    const went = await here.connect(HERE, HUB, 8091, never())
    let ended = false
    went.stream
      .on('error', () => {})
      .on('close', () => {
        ended = true
      })
    await clock.advance(10)
    set(HUB, false)
    await clock.advance(10)
    expect([accepted.length, ended, here.counts().broken]).toEqual([1, true, 2])
  })

  test('dialling without a route waits for one', async () => {
    const { clock, here, hub, set } = scene()
    set(HUB, false)
    await hub.listen(HUB, 8091, () => {})
    const dialled = here.connect(HERE, HUB, 8091, never())
    await clock.advance(3_000)
    set(HUB, true)
    await clock.advance(10)
    expect((await dialled).remoteAddress).toBe(HUB)
    expect(here.counts().tcpOut).toBe(1)
  })

  test('dialling gives up after 10 s without a route, or when called off', async () => {
    const { clock, here, set } = scene()
    set(HUB, false)
    const dialled = here.connect(HERE, HUB, 8091, never())
    dialled.catch(() => {})
    const stop = new AbortController()
    const calledOff = here.connect(HERE, HUB, 8091, stop.signal)
    calledOff.catch(() => {})
    stop.abort(new Error('called off'))
    await expect(calledOff).rejects.toThrow('called off')
    await clock.advance(10_000)
    await expect(dialled).rejects.toMatchObject({ code: 'ConnectTimedOut' })
    expect(clock.pending()).toBe(0)
  })

  test('a blocked port lets nothing out, ends what is open, and opens again; other ports go on', async () => {
    const { clock, here, hub } = scene()
    for (const port of [8091, 8092])
      await hub.listen(HUB, port, ({ stream }) => void stream.on('error', () => {}).resume())
    const closed: number[] = []
    for (const port of [8091, 8092]) {
      const { stream } = await here.connect(HERE, HUB, port, never())
      stream.on('error', () => {}).on('close', () => void closed.push(port))
    }
    here.block(8091, true)
    await clock.advance(10)
    expect(closed).toEqual([8091])
    const dialled = here.connect(HERE, HUB, 8091, never())
    await clock.advance(5_000)
    here.block(8091, false)
    await clock.advance(10)
    expect((await dialled).remoteAddress).toBe(HUB)
  })

  test('a machine reaches itself without any route, unless its own rule blocks the port', async () => {
    const { here, set } = scene()
    set(HUB, false)
    await here.listen(HERE, 8091, () => {})
    expect((await here.connect(HERE, HERE, 8091, never())).remoteAddress).toBe(HERE)
    here.block(8091, true)
    const stop = new AbortController()
    const dialled = here.connect(HERE, HERE, 8091, stop.signal)
    stop.abort(new Error('blocked'))
    await expect(dialled).rejects.toThrow('blocked')
  })
})
