// A hub with the real driver and a hundred peers around it, each a host of its own. The peers are plain WireGuard: what
// is looked at is the hub, and the way to them.
import { rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { runOk, systemProcesses } from '../../../base/processes.ts'
import {
  configOf,
  type KeyText,
  type Machine,
  NAME,
  newKeys,
  peerOf,
  startMachine,
} from '../../system/wireguard/machine.ts'
import { endMarked, newMark, sweepOrphans } from '../marks.ts'
import type { Namespace } from '../namespace.ts'
import { buildNetwork, inBatches } from '../network.ts'
import { becomes } from '../ready.ts'
import { parseTopology } from '../topology.ts'

export interface Member extends KeyText {
  name: string
  /** In the mesh. */
  address: string
  namespace: Namespace
}

export interface Crowd {
  hub: Machine
  members: readonly Member[]
  /** For captures; goes with the crowd. */
  folder: string
  /** Until every peer was heard by the hub, ms; from the hub's configuration on. */
  gatheredMs: number
  end(): Promise<void>
}

/**
 * Who runs wireguard-go on the members. Each instance has an inotify watch, and a user may have 128: root's stay for
 * the hub and for whatever else the machine runs. The user has no name and no right but these two.
 */
const UNPRIVILEGED = ['--reuid=64321', '--inh-caps=+net_admin,+dac_override', '--ambient-caps=+net_admin,+dac_override']
const AT_ONCE = 6
const GATHERED_WITHIN_MS = 120_000

/**
 * $0: the hub's public key, $1: our address; our private key comes in by a pipe, as wg(8) wants it. No agent listens
 * here, and no kernel shall say so: a node answers no command.
 */
const JOIN = `set -e
ip link add dev ${NAME} type wireguard 2>/dev/null ||
  GOMAXPROCS=1 setpriv ${UNPRIVILEGED.join(' ')} wireguard-go ${NAME} >/dev/null 2>&1
cat | wg set ${NAME} private-key /dev/stdin listen-port 51820 \\
  peer "$0" endpoint 192.0.2.10:51820 allowed-ips 10.8.0.0/24 persistent-keepalive 25
ip address add "$1/24" dev ${NAME}
ip link set dev ${NAME} mtu 1420 up
nft 'table ip quiet { chain out { type filter hook output priority 0; icmp type destination-unreachable drop; }; }'`

/** `count`: at most 244, the hosts of one segment. Ends what it began when it fails. */
export async function gatherCrowd(count: number): Promise<Crowd> {
  await sweepOrphans()
  const mark = newMark(true)
  const folder = await mkdtemp(path.join(tmpdir(), 'ppn-crowd-'))
  let hub: Machine | undefined
  const end = async () => {
    await hub?.stop()
    await endMarked(mark.id)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const names = Array.from({ length: count }, (_, i) => `m${i + 1}`)
    const topology = parseTopology({
      segments: { wire: { cidr: '192.0.2.0/24' } },
      hosts: Object.fromEntries(['hub', ...names].map((name) => [name, { segment: 'wire' }])),
    })
    const network = await buildNetwork({ processes: systemProcesses(), mark, topology })
    hub = await startMachine(network.host('hub'), '10.8.0.1', path.join(folder, 'hub'))
    const members = names.map((name, i): Member => {
      return { ...newKeys(), name, address: `10.8.0.${i + 2}`, namespace: network.host(name) }
    })
    const begunMs = performance.now()
    await hub.driver.apply(
      configOf(
        hub,
        members.map((m) => peerOf(m)),
        { forward: { authorities: [hub.address], commandPort: 8090 } },
      ),
    )
    const { publicKey, driver } = hub
    await inBatches(members, AT_ONCE, async ({ namespace, address, privateKey }) => {
      const args = ['-c', JOIN, publicKey, address]
      await runOk(namespace.processes, 'sh', args, { input: `${privateKey}\n`, timeoutMs: 60_000 })
    })
    await becomes(GATHERED_WITHIN_MS, async () => {
      const state = await driver.read(NAME)
      return state?.peers.every((p) => p.handshakeAgeSeconds !== undefined) === true
    })
    return { hub, members, folder, gatheredMs: performance.now() - begunMs, end }
  } catch (error) {
    await end()
    throw error
  }
}
