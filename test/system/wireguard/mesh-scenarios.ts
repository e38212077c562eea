// A hub and three spokes of the driver alone, over real WireGuard: what a converged mesh costs, what repairs itself, who
// reaches whom. Run by lab/office.test.ts, while a link of its lab is cut and nothing else is to be done.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { tunnelConfig } from '../../../agent/tunnel/config.ts'
import { KEY_SILENT_MS, withKeyChanges } from '../../../agent/tunnel/key-change.ts'
import { runOk } from '../../../base/processes.ts'
import { hubFollows } from './key-move.ts'
import { configOf, type Machine, NAME, newKeys, peerOf } from './machine.ts'
import { answers, HUB_ENDPOINT, type RealMesh, realMesh, stateOf, until, withKey } from './mesh.ts'
import { type Probe, probe, probeDuring } from './probe.ts'
import { heardAt, listening, say } from './words.ts'

/** Beyond a handshake that a busy machine lost, which is tried again after 5 s; short of the keepalive. */
const KEEPALIVE_MS = 25_000
const stranger = Buffer.alloc(32, 8).toString('base64')

export function meshScenarios(): void {
  describe('a mesh of the driver alone', () => {
    let mesh: RealMesh
    let hub: Machine
    let edge: Machine
    let desk: Machine
    let box: Machine

    beforeAll(async () => {
      mesh = await realMesh(['hub', 'edge', 'desk', 'box'])
      ;[hub, edge, desk, box] = mesh.machines as [Machine, Machine, Machine, Machine]
      await mesh.join()
    })
    afterAll(() => mesh?.close())

    const figures = (what: string, { sent, lost, longestGapMs }: Probe) =>
      process.stderr.write(`${what}: ${lost} of ${sent} packets lost, longest gap ${longestGapMs} ms\n`)
    const again = (name: string, wish?: Parameters<RealMesh['config']>[1]) =>
      mesh.machine(name).driver.apply(mesh.config(name, wish))
    const pidOfDaemon = (machine: Machine) => machine.run('cat', '/run/ppn/wireguard/ppn0.pid')

    describe('a converged mesh', () => {
      test('spokes reach the hub, and each other through it', async () => {
        expect(await answers(edge, hub.address)).toBe(true)
        await until(() => answers(edge, desk.address))
        await until(() => answers(box, edge.address))
      })

      test('reconciling again under 1,000 packets a second runs no changing command and loses nothing', async () => {
        for (const machine of mesh.machines) await machine.changes()
        const cost = await probeDuring(edge, desk.address, { perSecond: 1000, seconds: 3 }, async () => {
          for (let round = 0; round < 5; round++)
            for (const name of ['hub', 'edge', 'desk']) expect(await again(name)).toEqual({ changed: false })
        })
        figures('no-op reconcile', cost)
        expect(cost).toMatchObject({ sent: 3000, lost: 0 })
        for (const machine of mesh.machines) expect(await machine.changes()).toEqual([])
      })

      test('a peer that comes and goes costs the others nothing', async () => {
        const config = mesh.config('hub')
        const more = { ...config, peers: [...config.peers, peerOf({ publicKey: stranger, address: '10.8.0.99' })] }
        const cost = await probeDuring(edge, desk.address, { perSecond: 1000, seconds: 3 }, async () => {
          for (const wanted of [more, config, more, config])
            expect(await hub.driver.apply(wanted)).toEqual({ changed: true })
        })
        figures('peer addition and removal', cost)
        expect(cost).toMatchObject({ sent: 3000, lost: 0 })
      })

      test('no private key stands in an argument list or in the log', async () => {
        const ran = await hub.driver.apply({ ...mesh.config('hub'), privateKey: edge.privateKey })
        expect(ran.changed).toBe(true)
        await again('hub')
        const commands = (await hub.changes()).flat()
        expect(commands).toContain('private-key')
        for (const key of [hub.privateKey, edge.privateKey]) {
          expect(commands.some((word) => word.includes(key))).toBe(false)
          expect(hub.log()).not.toContain(key)
        }
        await until(() => answers(edge, hub.address))
      })
    })

    describe('what somebody changed behind our back', () => {
      test.each<[string, string[]]>([
        ['a peer was removed', ['wg', 'set', NAME, 'peer', 'EDGE', 'remove']],
        ['its allowed addresses were changed', ['wg', 'set', NAME, 'peer', 'EDGE', 'allowed-ips', '10.9.0.1/32']],
        [
          'a peer was given a preshared key',
          ['sh', '-c', 'wg genpsk > /run/psk; wg set ppn0 peer EDGE preshared-key /run/psk'],
        ],
        ['the MTU was changed', ['ip', 'link', 'set', 'dev', NAME, 'mtu', '1300']],
        ['another address was added', ['ip', 'address', 'add', '10.8.0.200/24', 'dev', NAME]],
        ['its route was deleted', ['ip', 'route', 'delete', '10.8.0.0/24', 'dev', NAME]],
        ['its rule was deleted', ['nft', 'delete', 'table', 'ip', 'ppn_ppn0']],
        ['a rule was put before its own', ['nft', 'insert', 'rule', 'ip', 'ppn_ppn0', 'forward', 'accept']],
        ['forwarding was switched off', ['sh', '-c', 'echo 0 > /proc/sys/net/ipv4/conf/ppn0/forwarding']],
      ])('%s: the next reconcile repairs it, and no other peer notices', async (_, command) => {
        const handshake = async () => (await hub.run('wg', 'show', NAME, 'latest-handshakes')).split('\n')
        const others = (lines: string[]) =>
          lines.filter((line) => line !== '' && !line.startsWith(edge.publicKey)).sort()
        const before = others(await handshake())
        const [program = '', ...args] = command.map((word) => word.replaceAll('EDGE', edge.publicKey))
        await hub.run(program, ...args)
        expect(await again('hub')).toEqual({ changed: true })
        expect(await again('hub')).toEqual({ changed: false })
        expect(others(await handshake())).toEqual(before)
        await until(() => answers(edge, desk.address))
      })

      test.each<[string, string[]]>([
        ['the address was removed', ['ip', 'address', 'delete', '10.8.0.1/24', 'dev', NAME]],
        ['the link was set down', ['ip', 'link', 'set', 'dev', NAME, 'down']],
      ])('%s: the driver repairs it without being asked', async (what, [program = '', ...args]) => {
        const cost = await probeDuring(edge, hub.address, { perSecond: 100, seconds: 2 }, () =>
          hub.run(program, ...args),
        )
        figures(what, cost)
        expect(cost.longestGapMs).toBeLessThan(5000)
        expect(await answers(edge, desk.address)).toBe(true)
      })
    })

    describe('the device is destroyed', () => {
      test.each<[string, () => Promise<string>]>([
        ['somebody deletes the interface', () => hub.run('ip', 'link', 'delete', 'dev', NAME)],
        ['the daemon is killed', async () => hub.run('kill', '-9', (await pidOfDaemon(hub)).split(' ')[0] ?? '')],
        // wireguard-go watches it, and ends.
        ['its socket is deleted', () => hub.run('rm', '/run/wireguard/ppn0.sock')],
      ])('%s on the hub: it is back with its endpoints, and spokes go on', async (what, destroy) => {
        const daemon = await pidOfDaemon(hub)
        const cost = await probeDuring(edge, hub.address, { perSecond: 100, seconds: 2 }, destroy)
        figures(what, cost)
        expect(cost.longestGapMs).toBeLessThan(5000)
        expect(await pidOfDaemon(hub)).not.toBe(daemon)
        await until(() => answers(edge, desk.address))
        // Spoken to first, with a keepalive that nobody declared, until heard.
        await until(async () => (await stateOf(hub)).peers.every((peer) => peer.persistentKeepalive === 0))
        expect(await again('hub')).toEqual({ changed: false })
      })

      test('a driver that is killed leaves the tunnel, and the next one finds it as it is', async () => {
        const daemon = await pidOfDaemon(hub)
        const cost = await probeDuring(edge, desk.address, { perSecond: 1000, seconds: 3 }, async () => {
          await hub.restartDriver()
          expect(await again('hub')).toEqual({ changed: false })
        })
        figures('driver killed and started', cost)
        expect(cost.lost).toBe(0)
        expect(await pidOfDaemon(hub)).toBe(daemon)
      })

      test('the endpoints outlive driver and device together', async () => {
        const before = (await stateOf(hub)).peers.map(({ publicKey, endpoint }) => [publicKey, endpoint]).sort()
        await hub.restartDriver()
        await hub.run('ip', 'link', 'delete', 'dev', NAME)
        const cost = await probeDuring(edge, hub.address, { perSecond: 100, seconds: 4 }, () => again('hub'))
        figures('device destroyed while the driver was away', cost)
        const after = (await stateOf(hub)).peers.map(({ publicKey, endpoint }) => [publicKey, endpoint]).sort()
        expect(after).toEqual(before)
        expect(await answers(edge, desk.address)).toBe(true)
      })
    })

    describe('isolation', () => {
      // Everything that leaves the isolated node's tunnel passes the hub or ends there.
      const packetsOfEdge = async (during: () => Promise<void>): Promise<string[]> => {
        const heard = await Promise.all([hub, desk, box].map((m) => listening(m, NAME, `src host ${edge.address}`)))
        await during()
        return (await Promise.all(heard.map((capture) => capture.stop()))).flat()
      }

      test('beyond the hub nothing answers but the authority, and nothing reaches anybody else', async () => {
        await mesh.join({ authority: 'desk' })
        await until(() => answers(edge, box.address))
        expect(await again('edge', { authority: 'desk', isolated: true })).toEqual({ changed: true })
        const { peers } = await stateOf(edge)
        expect(peers.map((p) => [p.publicKey, p.allowedIPs])).toEqual([[hub.publicKey, [`${desk.address}/32`]]])

        const seen = await packetsOfEdge(async () => {
          for (const { address } of [hub, box]) expect(await answers(edge, address)).toBe(false)
          expect(await answers(box, edge.address)).toBe(false)
          expect(await answers(hub, edge.address)).toBe(false)
          expect(await heardAt(edge, 'udp', edge.address, 8090, () => say(desk, 'udp', edge.address, 8090))).toBe(
            desk.address,
          )
          expect(await heardAt(desk, 'tcp', desk.address, 8091, () => say(edge, 'tcp', desk.address, 8091))).toBe(
            edge.address,
          )
          expect(await heardAt(edge, 'tcp', edge.address, 8092, () => say(desk, 'tcp', edge.address, 8092))).toBe(
            desk.address,
          )
          expect(await heardAt(edge, 'tcp', edge.address, 8092, () => say(box, 'tcp', edge.address, 8092))).toBe(
            undefined,
          )
        })
        expect(seen.length).toBeGreaterThan(0)
        expect(seen.filter((line) => !line.includes(`> ${desk.address}`))).toEqual([])

        expect(await again('edge', { authority: 'desk' })).toEqual({ changed: true })
        await until(() => answers(edge, box.address))
      })

      test('an authority on the hub leaves the hub, and nobody behind it', async () => {
        await mesh.join()
        await again('edge', { isolated: true })
        const seen = await packetsOfEdge(async () => {
          expect(await answers(edge, hub.address)).toBe(true)
          for (const { address } of [desk, box]) expect(await answers(edge, address)).toBe(false)
          expect(await answers(box, edge.address)).toBe(false)
        })
        expect(seen.filter((line) => !line.includes(`> ${hub.address}`))).toEqual([])
        await again('edge')
        await until(() => answers(edge, box.address))
      })
    })

    describe("the hub's forwarding", () => {
      test('carries the command port from the authority alone, and everything else between peers', async () => {
        await mesh.join({ authority: 'desk' })
        await until(() => answers(box, edge.address))
        const reaches = async (from: Machine, port: number) =>
          (await heardAt(edge, 'udp', edge.address, port, () => say(from, 'udp', edge.address, port))) === from.address
        expect(await reaches(desk, 8090)).toBe(true)
        expect(await reaches(box, 8090)).toBe(false)
        expect(await reaches(box, 8095)).toBe(true)
        // A moved authority moves the rule.
        await mesh.join({ authority: 'box' })
        expect(await reaches(box, 8090)).toBe(true)
        expect(await reaches(desk, 8090)).toBe(false)
        await mesh.join()
      })

      test('leads from the mesh to nowhere else', async () => {
        await hub.run('ip', 'link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'lan1')
        await hub.run('ip', 'address', 'add', '198.51.100.1/24', 'dev', 'lan0')
        await hub.run('ip', 'link', 'set', 'lan0', 'up')
        const lan = await listening(hub, 'lan0', 'dst host 198.51.100.7')
        // A spoke that is not ours to command takes more addresses than it was given.
        await edge.run('wg', 'set', NAME, 'peer', hub.publicKey, 'allowed-ips', '10.8.0.0/24,198.51.100.0/24')
        await edge.run('ip', 'route', 'add', '198.51.100.0/24', 'dev', NAME)
        expect(await answers(edge, '198.51.100.7')).toBe(false)
        expect(await lan.stop()).toEqual([])
        await edge.run('ip', 'route', 'delete', '198.51.100.0/24', 'dev', NAME)
        await hub.run('ip', 'link', 'delete', 'lan0')
        expect(await again('edge')).toEqual({ changed: true })
      })

      test('ends when the node is no hub any more', async () => {
        const { forward: _, ...spoke } = mesh.config('hub')
        expect(await hub.driver.apply(spoke)).toEqual({ changed: true })
        expect(await hub.run('nft', 'list', 'tables')).toBe('')
        expect(await hub.run('cat', '/proc/sys/net/ipv4/conf/ppn0/forwarding')).toBe('0\n')
        expect(await answers(box, edge.address)).toBe(false)
        await again('hub')
        await until(() => answers(box, edge.address))
      })
    })

    describe('where a peer is', () => {
      const move = async (machine: Machine, from: string, to: string) => {
        await machine.run('ip', 'address', 'delete', from, 'dev', 'eth0')
        await machine.run('ip', 'address', 'add', to, 'dev', 'eth0')
      }
      const endpointAt = async (machine: Machine, peer: Machine) =>
        (await stateOf(machine)).peers.find((p) => p.publicKey === peer.publicKey)?.endpoint

      test('a spoke that moves is followed, and reconciling does not send it back', async () => {
        await move(edge, '192.0.2.11/24', '192.0.2.200/24')
        const cost = await probe(edge, hub.address, 100, 3)
        figures('a spoke roams', cost)
        await until(async () => (await endpointAt(hub, edge)) === '192.0.2.200:51820')
        expect(cost.longestGapMs).toBeLessThan(3000)
        expect(await again('hub')).toEqual({ changed: false })
      })

      test('a hub that speaks from elsewhere than declared is left there while it is fresh', async () => {
        await move(hub, '192.0.2.10/24', '192.0.2.210/24')
        await until(
          async () => (await answers(hub, edge.address)) && (await endpointAt(edge, hub)) === '192.0.2.210:51820',
        )
        expect(await again('edge')).toEqual({ changed: false })
        expect(await endpointAt(edge, hub)).toBe('192.0.2.210:51820')
        await move(hub, '192.0.2.210/24', '192.0.2.10/24')
        await until(
          async () => (await answers(hub, edge.address)) && (await endpointAt(edge, hub)) === '192.0.2.10:51820',
        )
      })

      test('an IPv6 endpoint is an endpoint like any other', async () => {
        expect(await again('edge', { hubEndpoint: '[2001:DB8::0:10]:51820' })).toEqual({ changed: true })
        await until(() => answers(edge, hub.address))
        expect(await endpointAt(edge, hub)).toBe('[2001:db8::10]:51820')
        expect(await endpointAt(hub, edge)).toBe('[2001:db8::11]:51820')
        expect(await again('edge', { hubEndpoint: '[2001:DB8::0:10]:51820' })).toEqual({ changed: false })
        expect(await again('edge', { hubEndpoint: HUB_ENDPOINT })).toEqual({ changed: true })
        await until(async () => (await endpointAt(hub, edge)) === '192.0.2.200:51820')
      })
    })

    describe('a key change', () => {
      const hubAt = (key: string, staged: string | undefined, former: string | undefined, afterMs = 0) =>
        hubFollows(mesh, edge, { key, ...(staged && { staged }), ...(former && { former }) }, afterMs)
      const { privateKey, publicKey } = newKeys()
      const underNewKey = () => edge.driver.apply({ ...mesh.config('edge'), privateKey })

      test('let in beforehand, it costs a round trip', async () => {
        await until(() => answers(edge, desk.address))
        await hubAt(edge.publicKey, publicKey, undefined)
        const cost = await probeDuring(edge, desk.address, { perSecond: 1000, seconds: 2 }, () =>
          Promise.all([hubAt(publicKey, undefined, edge.publicKey), underNewKey()]),
        )
        figures('key change', cost)
        expect(cost.longestGapMs).toBeLessThan(KEEPALIVE_MS / 2)
        expect((await stateOf(edge)).publicKey).toBe(publicKey)
        // The other way round: the hub is late.
        await hubAt(publicKey, edge.publicKey, undefined)
        await again('edge')
        await hubAt(edge.publicKey, undefined, publicKey)
        await until(() => answers(edge, desk.address))
      })

      test('one that never comes about locks nobody out', async () => {
        await hubAt(edge.publicKey, publicKey, undefined)
        await hubAt(publicKey, undefined, edge.publicKey)
        expect(await answers(edge, hub.address)).toBe(false)
        await hubAt(publicKey, undefined, edge.publicKey, KEY_SILENT_MS)
        await until(() => answers(edge, hub.address))
        // At last it does.
        await underNewKey()
        await until(async () => (await stateOf(hub)).peers.some((p) => p.publicKey === publicKey && p.rxBytes > 0))
        await hubAt(publicKey, undefined, edge.publicKey, KEY_SILENT_MS)
        await until(() => answers(edge, desk.address))
        await again('edge')
        await again('hub')
        await until(() => answers(edge, desk.address))
      })

      test("the hub's own: it speaks first under the new key, and no spoke waits for its keepalive", async () => {
        const keys = newKeys()
        const spokes = ['edge', 'desk', 'box']
        const under = (name: string) => {
          const content = withKey(mesh.content(name), hub.publicKey, keys.publicKey)
          return tunnelConfig({ content, privateKey: mesh.machine(name).privateKey, isolated: false })
        }
        for (const name of spokes) {
          const staged = withKey(mesh.content(name), hub.publicKey, keys.publicKey)
          const change = { staged, former: new Map(), ages: new Map(), nowMs: 0 }
          await mesh.machine(name).driver.apply(withKeyChanges(mesh.config(name), mesh.content(name), change))
        }
        const cost = await probeDuring(edge, desk.address, { perSecond: 1000, seconds: 2 }, () =>
          Promise.all([
            hub.driver.apply({ ...mesh.config('hub'), privateKey: keys.privateKey }),
            ...spokes.map((name) => mesh.machine(name).driver.apply(under(name))),
          ]),
        )
        figures("the hub's key change", cost)
        expect(cost.longestGapMs).toBeLessThan(KEEPALIVE_MS / 2)
        await mesh.join()
        await until(() => answers(edge, desk.address))
      })
    })

    describe('leaving', () => {
      test('an interface that is somebody else’s is refused and left alone', async () => {
        await box.run('ip', 'link', 'add', 'other0', 'type', 'veth', 'peer', 'name', 'other1')
        await expect(box.driver.apply({ ...mesh.config('box'), name: 'other0' })).rejects.toThrow(/is not WireGuard/)
        await expect(box.driver.remove('other0')).rejects.toThrow(/is not WireGuard/)
        await box.run('ip', 'link', 'show', 'dev', 'other0')
      })

      test('nothing is left: no interface, daemon, socket, table, route, memory', async () => {
        const wide = configOf(hub, [peerOf(edge, { allowedIPs: ['10.8.0.2/32', '10.77.0.0/16'] })], {
          forward: { authorities: ['10.8.0.1'], commandPort: 8090 },
        })
        await hub.driver.apply(wide)
        expect(await hub.run('ip', 'route', 'show', '10.77.0.0/16')).toContain(NAME)
        const pid = (await pidOfDaemon(hub)).split(' ')[0] ?? ''
        await hub.driver.remove(NAME)
        await sleep(1000)
        expect(await hub.run('ip', '-o', 'link', 'show')).not.toContain(NAME)
        expect(await hub.run('ls', '-A', '/run/wireguard', '/run/ppn/wireguard')).not.toMatch(/ppn0/)
        expect(await hub.run('nft', 'list', 'tables')).toBe('')
        expect(await hub.run('ip', 'route', 'show', '10.77.0.0/16')).toBe('')
        expect(await hub.run('ls', '-A', mesh.folderOf('hub'))).toBe('')
        await expect(runOk(hub.namespace.processes, 'kill', ['-0', pid])).rejects.toThrow(/No such process/)
      })
    })
  })
}
