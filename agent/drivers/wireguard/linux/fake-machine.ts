// Just enough of ip(8), wg(8) and nft(8) over one kernel interface for the driver's own decisions to be tested on a
// virtual clock. What those programs really do is shown by test/system/wireguard.
import { x25519 } from '@noble/curves/ed25519.js'
import type { Clock } from '../../../../base/clock.ts'
import type { Processes, Ran } from '../../../../base/processes.ts'

interface FakePeer {
  endpoint: string
  allowed: string[]
  keepalive: number
  handshakeAt: number
}

export interface FakeMachine {
  processes: Processes
  /** Every program run, as one line. */
  ran: string[]
  peers: Map<string, FakePeer>
  /** Addresses by interface, as getifaddrs shows them. */
  addresses(): Map<string, string[]>
  /** Addresses of eth0. */
  own: string[]
  forwarding: { read(): Promise<boolean | undefined>; write(name: string, on: boolean): Promise<void>; on: boolean }
  /** What `nft` answers instead of success. */
  nftFails: string | undefined
  /** `wireguard` or `tun`. */
  kind: string
  destroy(): void
  /** A handshake with this peer, from there. */
  hear(publicKey: string, endpoint?: string): void
}

const ok = (stdout = ''): Ran => ({ exitCode: 0, stdout, stderr: '' })
const failed = (stderr: string): Ran => ({ exitCode: 1, stdout: '', stderr })

export function fakeMachine(clock: Clock, name: string): FakeMachine {
  let link: { up: boolean; mtu: number; addresses: string[]; key: string; port: number } | undefined
  const dump = () => {
    const rows = [...machine.peers].map(([key, p]) =>
      [
        key,
        '(none)',
        p.endpoint || '(none)',
        p.allowed.join(',') || '(none)',
        p.handshakeAt,
        0,
        0,
        p.keepalive || 'off',
      ].join('\t'),
    )
    return `${[`private of ${name}`, link?.key || '(none)', link?.port ?? 0, 'off'].join('\t')}\n${rows.join('\n')}\n`
  }
  const set = (words: string[], input: string): void => {
    let peer: FakePeer | undefined
    for (let i = 0; i < words.length; i++) {
      const [word, value = ''] = [words[i], words[i + 1]]
      if (word === 'remove') {
        machine.peers.delete(words[i - 1] ?? '')
        continue
      }
      i++
      if (word === 'peer') {
        peer = machine.peers.get(value) ?? { endpoint: '', allowed: [], keepalive: 0, handshakeAt: 0 }
        machine.peers.set(value, peer)
      } else if (word === 'private-key' && link) link.key = publicOf(input.trim())
      else if (word === 'listen-port' && link) link.port = Number(value)
      else if (word === 'endpoint' && peer) peer.endpoint = value
      else if (word === 'persistent-keepalive' && peer) peer.keepalive = Number(value)
      else if (word === 'allowed-ips' && peer) peer.allowed = value.split(',').filter((ip) => ip !== '')
    }
  }
  const ip = (args: string[]): Ran => {
    const line = args.join(' ')
    if (line === `link add dev ${name} type wireguard`) {
      link = { up: false, mtu: 1420, addresses: [], key: '', port: 0 }
      return ok()
    }
    if (!link) return failed(`Device "${name}" does not exist.`)
    if (line.startsWith('-json -details')) {
      const addr_info = link.addresses.map((a) => ({
        family: 'inet',
        local: a.split('/')[0],
        prefixlen: Number(a.split('/')[1]),
      }))
      const flags = link.up ? ['UP'] : []
      return ok(JSON.stringify([{ flags, mtu: link.mtu, linkinfo: { info_kind: machine.kind }, addr_info }]))
    }
    if (line.startsWith('-json -4 route')) return ok(JSON.stringify([{ dst: '10.8.0.0/24', protocol: 'kernel' }]))
    if (line.startsWith('address replace')) link.addresses = [args[2] ?? '']
    else if (line.startsWith('link set') && line.endsWith(' up')) link.up = true
    else if (line.startsWith('link set')) link.mtu = Number(args.at(-1))
    else if (line.startsWith('link delete')) machine.destroy()
    else return failed(`not faked: ${line}`)
    return ok()
  }
  const wg = (args: string[], input = ''): Ran => {
    if (!link) return failed('Unable to access interface: No such device')
    if (args[0] === 'show') return ok(dump())
    set(args.slice(2), input)
    return ok()
  }
  const machine: FakeMachine = {
    ran: [],
    peers: new Map(),
    own: ['192.0.2.10/24'],
    nftFails: undefined,
    kind: 'wireguard',
    forwarding: {
      on: false,
      read: async () => link && machine.forwarding.on,
      write: async (_, on) => {
        machine.forwarding.on = on
      },
    },
    addresses: () =>
      new Map([['eth0', machine.own], ...(link?.up ? ([[name, link.addresses]] as [string, string[]][]) : [])]),
    destroy() {
      link = undefined
      machine.peers.clear()
      machine.forwarding.on = false
    },
    hear(publicKey, endpoint) {
      const peer = machine.peers.get(publicKey)
      if (!peer) return
      peer.handshakeAt = Math.floor(clock.now() / 1000)
      peer.endpoint = endpoint ?? peer.endpoint
    },
    processes: {
      async run(command, args, options) {
        machine.ran.push([command, ...args].join(' '))
        const input = String(options?.input ?? '')
        if (command === 'ip') return ip(args)
        if (command === 'wg') return wg(args)
        if (command === 'sh') return wg(args.slice(3), input)
        if (machine.nftFails !== undefined) return failed(machine.nftFails)
        return args.includes('list') ? failed('Error: No such file or directory') : ok()
      },
    },
  }
  return machine
}

function publicOf(privateKey: string): string {
  return Buffer.from(x25519.getPublicKey(Buffer.from(privateKey, 'base64'))).toString('base64')
}
