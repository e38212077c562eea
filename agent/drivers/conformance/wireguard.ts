// What every WireGuard driver does. Two machines: `hub` has an endpoint that `spoke` knows, not the other way round.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { WireGuardConfig, WireGuardDriver, WireGuardPeer, WireGuardPeerState } from '../wireguard/port.ts'
import { eventually, type Pass } from './harness.ts'

interface WireGuardMachine {
  driver: WireGuardDriver
  privateKey: string
  publicKey: string
  /** Of this machine in the mesh, without prefix. */
  address: string
}

export interface WireGuardHarness {
  hub: WireGuardMachine
  spoke: WireGuardMachine
  /** host:port under which the spoke reaches the hub. */
  hubEndpoint: string
  /** host:port that leads nowhere. */
  nowhere: string
  /** A key pair of nobody here, base64. */
  stranger: { privateKey: string; publicKey: string }
  pass: Pass
  /** Longest time from two configured ends to a handshake. */
  handshakeMs: number
  close(): Promise<void>
}

const NAME = 'ppn0'

/** `minutes` false: time is real, and what needs minutes of it is left to the lab (test/system/lab/office.test.ts). */
export function wireguardConformance(
  name: string,
  make: () => Promise<WireGuardHarness>,
  { minutes }: { minutes: boolean },
): void {
  describe(`${name} WireGuard driver`, () => {
    let h: WireGuardHarness
    beforeEach(async () => {
      h = await make()
    })
    afterEach(() => h.close())

    const toSpoke = (change: Partial<WireGuardPeer> = {}): WireGuardPeer => ({
      publicKey: h.spoke.publicKey,
      allowedIPs: [`${h.spoke.address}/32`],
      persistentKeepalive: 0,
      ...change,
    })
    const toHub = (change: Partial<WireGuardPeer> = {}): WireGuardPeer => ({
      publicKey: h.hub.publicKey,
      endpoint: h.hubEndpoint,
      allowedIPs: [`${h.hub.address}/32`],
      persistentKeepalive: 1,
      ...change,
    })
    const config = (machine: WireGuardMachine, ...peers: WireGuardPeer[]): WireGuardConfig => ({
      name: NAME,
      privateKey: machine.privateKey,
      address: `${machine.address}/24`,
      listenPort: 51820,
      mtu: 1420,
      peers,
    })
    const peerOf = async ({ driver }: WireGuardMachine): Promise<WireGuardPeerState | undefined> =>
      (await driver.read(NAME))?.peers[0]
    const age = async (machine: WireGuardMachine) =>
      (await peerOf(machine))?.handshakeAgeSeconds ?? Number.POSITIVE_INFINITY
    const shaken = async (...machines: WireGuardMachine[]) => {
      for (const machine of machines) {
        await eventually(
          h.pass,
          h.handshakeMs,
          () => age(machine),
          (seconds) => seconds <= h.handshakeMs / 1000,
        )
      }
    }
    const joined = async () => {
      await h.hub.driver.apply(config(h.hub, toSpoke()))
      await h.spoke.driver.apply(config(h.spoke, toHub()))
      await shaken(h.hub, h.spoke)
    }

    test('an interface that does not exist reads as undefined, and removing it is no error', async () => {
      expect(await h.hub.driver.read(NAME)).toBeUndefined()
      await h.hub.driver.remove(NAME)
      expect(await h.hub.driver.read(NAME)).toBeUndefined()
    })

    test('what was applied is read back, and applying it again changes nothing', async () => {
      const wanted = config(h.hub, toSpoke({ persistentKeepalive: 25 }))
      expect(await h.hub.driver.apply(wanted)).toEqual({ changed: true })
      expect(await h.hub.driver.apply(wanted)).toEqual({ changed: false })
      expect(await h.hub.driver.read(NAME)).toMatchObject({
        name: NAME,
        publicKey: h.hub.publicKey,
        address: `${h.hub.address}/24`,
        listenPort: 51820,
        mtu: 1420,
        peers: [{ publicKey: h.spoke.publicKey, allowedIPs: [`${h.spoke.address}/32`], persistentKeepalive: 25 }],
      })
      expect(await age(h.hub)).toBe(Number.POSITIVE_INFINITY)
    })

    test('what is read holds no private key', async () => {
      await h.hub.driver.apply(config(h.hub, toSpoke()))
      expect(JSON.stringify(await h.hub.driver.read(NAME))).not.toContain(h.hub.privateKey)
    })

    test('two ends that know each other shake hands, tell of it, and count bytes both ways', async () => {
      let told = 0
      h.spoke.driver.onChange(() => void told++)
      await joined()
      expect(told).toBeGreaterThan(0)
      for (const machine of [h.hub, h.spoke]) {
        const peer = await peerOf(machine)
        expect(peer?.rxBytes).toBeGreaterThan(0)
        expect(peer?.txBytes).toBeGreaterThan(0)
      }
    })

    test('the hub learns where its spoke is, and applying its config again leaves that alone', async () => {
      await joined()
      const learnt = (await peerOf(h.hub))?.endpoint
      expect(learnt).toMatch(/^[0-9.]+:[0-9]+$/)
      expect(await h.hub.driver.apply(config(h.hub, toSpoke()))).toEqual({ changed: false })
      expect((await peerOf(h.hub))?.endpoint).toBe(learnt)
      expect(await h.spoke.driver.apply(config(h.spoke, toHub()))).toEqual({ changed: false })
    })

    test('a restored endpoint is not written over one that has just been heard from', async () => {
      await joined()
      const learnt = (await peerOf(h.hub))?.endpoint ?? ''
      const restored = toSpoke({ endpoint: learnt, persistentKeepalive: 1 })
      await h.hub.driver.apply(config(h.hub, restored))
      expect((await peerOf(h.hub))?.endpoint).toBe(learnt)
      expect(await age(h.hub)).toBeLessThanOrEqual(h.handshakeMs / 1000)
      expect(await h.hub.driver.apply(config(h.hub, restored))).toEqual({ changed: false })
    })

    test('an endpoint declared anew is a decision: it is tried at once, and one that leads nowhere cuts the path', async () => {
      await joined()
      expect(await h.spoke.driver.apply(config(h.spoke, toHub({ endpoint: h.nowhere })))).toEqual({ changed: true })
      await h.pass(h.handshakeMs)
      expect(await age(h.spoke)).toBe(Number.POSITIVE_INFINITY)
      expect(await h.spoke.driver.apply(config(h.spoke, toHub()))).toEqual({ changed: true })
      await shaken(h.spoke)
    })

    test('changing allowed addresses is a change that costs no handshake', async () => {
      await joined()
      const rx = (await peerOf(h.spoke))?.rxBytes ?? 0
      const wider = config(h.spoke, toHub({ allowedIPs: [`${h.hub.address}/32`, '10.8.0.0/24'] }))
      expect(await h.spoke.driver.apply(wider)).toEqual({ changed: true })
      expect(await h.spoke.driver.apply(wider)).toEqual({ changed: false })
      const peer = await peerOf(h.spoke)
      expect(peer?.allowedIPs).toEqual([`${h.hub.address}/32`, '10.8.0.0/24'])
      expect(peer?.handshakeAgeSeconds).toBeDefined()
      expect(peer?.rxBytes).toBeGreaterThanOrEqual(rx)
    })

    test('a peer without an allowed address is let in, and given one later costs no handshake', async () => {
      await h.hub.driver.apply(config(h.hub, toSpoke({ allowedIPs: [] })))
      await h.spoke.driver.apply(config(h.spoke, toHub()))
      await shaken(h.hub, h.spoke)
      const rx = (await peerOf(h.spoke))?.rxBytes ?? 0
      expect(await h.hub.driver.apply(config(h.hub, toSpoke()))).toEqual({ changed: true })
      expect((await peerOf(h.hub))?.allowedIPs).toEqual([`${h.spoke.address}/32`])
      expect((await peerOf(h.hub))?.handshakeAgeSeconds).toBeDefined()
      expect((await peerOf(h.spoke))?.rxBytes).toBeGreaterThanOrEqual(rx)
    })

    test('a removed peer is gone, and its end gets no handshake any more', async () => {
      await joined()
      expect(await h.hub.driver.apply(config(h.hub))).toEqual({ changed: true })
      expect((await h.hub.driver.read(NAME))?.peers).toEqual([])
      const before = await age(h.spoke)
      await h.pass(10_000)
      expect(await age(h.spoke)).toBeGreaterThan(before)
      await h.hub.driver.apply(config(h.hub, toSpoke()))
      await shaken(h.spoke, h.hub)
    })

    test('a stranger gets no answer', async () => {
      await h.hub.driver.apply(config(h.hub, toSpoke({ publicKey: h.stranger.publicKey })))
      await h.spoke.driver.apply(config(h.spoke, toHub()))
      await h.pass(h.handshakeMs)
      expect(await age(h.spoke)).toBe(Number.POSITIVE_INFINITY)
      expect(await age(h.hub)).toBe(Number.POSITIVE_INFINITY)
    })

    test('a new private key is a new identity: the peer has to be told before anything passes', async () => {
      await joined()
      const renewed = { ...h.spoke, privateKey: h.stranger.privateKey }
      expect(await h.spoke.driver.apply(config(renewed, toHub()))).toEqual({ changed: true })
      expect((await h.spoke.driver.read(NAME))?.publicKey).toBe(h.stranger.publicKey)
      await h.pass(h.handshakeMs)
      expect(await age(h.spoke)).toBe(Number.POSITIVE_INFINITY)
      await h.hub.driver.apply(config(h.hub, toSpoke({ publicKey: h.stranger.publicKey })))
      await shaken(h.spoke)
    })

    test('a removed interface is gone and comes back with all it had been given', async () => {
      await joined()
      await h.spoke.driver.remove(NAME)
      expect(await h.spoke.driver.read(NAME)).toBeUndefined()
      expect(await h.spoke.driver.apply(config(h.spoke, toHub()))).toEqual({ changed: true })
      await shaken(h.spoke)
    })

    test('who has unsubscribed hears nothing', async () => {
      let told = 0
      h.spoke.driver.onChange(() => void told++)()
      await joined()
      expect(told).toBe(0)
    })

    if (!minutes) return

    test('with keepalive 25 the handshake of a path that is up is never older than 150 s', async () => {
      await h.hub.driver.apply(config(h.hub, toSpoke()))
      await h.spoke.driver.apply(config(h.spoke, toHub({ persistentKeepalive: 25 })))
      await shaken(h.hub, h.spoke)
      for (let s = 0; s < 1_200; s += 7) {
        await h.pass(7_000)
        expect(await age(h.spoke)).toBeLessThan(150)
        expect(await age(h.hub)).toBeLessThan(150)
      }
    })

    test('without the other end the handshake grows old, and a stale endpoint is written again', async () => {
      await joined()
      await h.spoke.driver.remove(NAME)
      await h.pass(200_000)
      expect(await age(h.hub)).toBeGreaterThanOrEqual(180)
      await h.hub.driver.apply(config(h.hub, toSpoke({ endpoint: h.nowhere })))
      expect((await peerOf(h.hub))?.endpoint).toBe(h.nowhere)
    })
  })
}
