// One agent, one authority that does as the scenario says, and what came up by telemetry.
import type { BundleArchive, BundleContent } from '../../../protocol/bundle/document.ts'
import { generateX25519, toBase64 } from '../../../protocol/keys.ts'
import type { NodeReport } from '../../../protocol/telemetry/report.ts'
import { anArchive } from '../../../testing/bundle-fixtures.ts'
import { type BundleOptions, fakeAuthority } from '../../../testing/fake-authority.ts'
import { memoryNetwork } from '../../../testing/memory-network.ts'
import { seededRandom } from '../../../testing/seeded-random.ts'
import { virtualClock } from '../../../testing/virtual-clock.ts'
import type { Make } from './subjects.ts'

export const HUB = '10.8.0.1'
export const NODE = '10.8.0.7'
/** Covered by the hub's peer entry, so its packets come through. */
export const STRANGER = '10.8.0.9'
const ENDPOINT = 'relay.example:51820'
/** Within it a simulated guest has started or stopped, and a snapshot has come. */
export const SETTLE_MS = 40_000

export type Bench = Awaited<ReturnType<typeof bench>>

/** The agent lives by revision 1, with these archives, and has been connected for a while. */
export async function bench(make: Make, archives: readonly BundleArchive[] = [anArchive({ slot: 1 })]) {
  const clock = virtualClock()
  const random = seededRandom('conformance')
  const network = memoryNetwork(clock)
  const keys = generateX25519(random)
  const agent = await make({
    clock,
    random,
    network,
    hub: { address: HUB, endpoint: ENDPOINT, keys },
    address: NODE,
  })
  const identity = await agent.identity()
  const node = { name: 'edge', address: NODE, role: 'spoke' as const, identity }
  const authority = fakeAuthority({ clock, random, transport: network.transport(), address: HUB, node })
  await authority.start()
  const hubPeer = {
    nodeId: 'b'.repeat(32),
    name: 'relay',
    publicKey: toBase64(keys.publicKey),
    endpoint: ENDPOINT,
    allowedIPs: [`${HUB}/32`, '10.8.0.0/24'],
    keepaliveSeconds: 25,
    hub: true,
  }
  const content = (more: Partial<BundleContent> = {}): Partial<BundleContent> => ({
    peers: [hubPeer],
    archives: [...archives],
    ...more,
  })
  /** A bundle of this content, on top of what the node already has. */
  const bundle = (wanted: BundleOptions) => authority.bundle({ ...wanted, content: content(wanted.content) })
  const armored = (wanted: BundleOptions) => authority.armored({ ...wanted, content: content(wanted.content) })
  const first = () => armored({ revision: 1, switch: 'onReceipt' })
  const socket = await network.transport().bindUdp(STRANGER, 8090, () => {})

  return {
    clock,
    network,
    agent,
    identity,
    authority,
    content,
    bundle,
    armored,
    first,
    fromStranger: (bytes: Uint8Array) => socket.send(bytes, NODE, 8090),
    push: (wanted: BundleOptions) => authority.push(bundle(wanted)),
    settle: () => clock.advance(SETTLE_MS),
    async join() {
      await agent.start()
      await agent.import(first(), authority.fingerprint)
      await clock.advance(SETTLE_MS)
    },
    report(): NodeReport {
      const report = authority.report()
      if (!report) throw new Error('nothing came up')
      return report
    },
    async end() {
      await agent.stop()
      await authority.stop()
    },
  }
}
