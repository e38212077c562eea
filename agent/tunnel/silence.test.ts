import { expect, test } from 'vitest'
import { agentBench } from '../../testing/agent-bench.ts'
import { aHub } from '../../testing/bundle-fixtures.ts'
import { virtualClock } from '../../testing/virtual-clock.ts'
import type { WireGuardState } from '../drivers/wireguard/port.ts'
import { UNANSWERED_MS, watchSilence } from './silence.ts'

const HUB = aHub(1)
const reading = (rxBytes: number, txBytes: number, persistentKeepalive = 25): WireGuardState => ({
  ...{ name: 'ppn0', publicKey: 'k', address: '10.8.0.2/24', listenPort: 51820, mtu: 1420 },
  peers: [{ publicKey: 'hub', allowedIPs: [], persistentKeepalive, handshakeAgeSeconds: 5, rxBytes, txBytes }],
})

/** What is said when the readings come 5 s apart. */
async function said(...readings: WireGuardState[]): Promise<boolean[]> {
  const clock = virtualClock()
  const watch = watchSilence(clock)
  const verdicts: boolean[] = []
  for (const state of readings) {
    verdicts.push(watch.look(state).size > 0)
    await clock.advance(5_000)
  }
  return verdicts
}

test('a peer that is spoken to for 20 s and says nothing does not answer', async () => {
  const growing = Array.from({ length: 7 }, (_, i) => reading(1000, 1000 + i * 148))
  expect(await said(...growing)).toEqual([false, false, false, false, false, true, true])
  expect(UNANSWERED_MS).toBe(20_000)
})

test('one byte received, or counters that begin anew, and it answers', async () => {
  const growing = Array.from({ length: 6 }, (_, i) => reading(1000, 1000 + i * 148))
  expect((await said(...growing, reading(1001, 2000))).at(-1)).toBe(false)
  expect((await said(...growing, reading(0, 148))).at(-1)).toBe(false)
})

test('keepalives over a path at rest are no silence', async () => {
  const resting = Array.from({ length: 40 }, (_, i) => reading(1000, 1000 + Math.floor(i / 5) * 32))
  expect(await said(...resting)).not.toContain(true)
})

test('a spoke whose hub falls silent shows the path down before the handshake is old', async () => {
  const bench = await agentBench()
  const agent = await bench.enrolled({ peers: [HUB] })
  const path = () => agent.report()?.peers[0]
  bench.wireguard.peer(HUB.publicKey, { handshakeAgeSeconds: 5, rxBytes: 500, txBytes: 500 })
  await bench.clock.advance(10_000)
  expect(path()).toMatchObject({ path: 'Direct', reason: 'HandshakeFresh' })
  for (let i = 1; i < 6; i++) {
    bench.wireguard.peer(HUB.publicKey, { handshakeAgeSeconds: 5 + i * 10, rxBytes: 500, txBytes: 500 + i * 1000 })
    await bench.clock.advance(10_000)
  }
  expect(path()).toMatchObject({ path: 'Down', reason: 'SentUnanswered', rxBytes: 500, txBytes: 5500 })
  await agent.stop()
})
