// A topology made real: every host and router a namespace, every segment a bridge in one more, the fabric. All links
// end in the fabric, so that cutting, losing, delaying and capturing happen in one place and nothing on a host knows.
import { join } from 'node:path'
import { type Processes, runOk } from '../../base/processes.ts'
import { type Capture, startCapture } from './capture.ts'
import type { LabMark } from './marks.ts'
import { attachNamespace, makeNamespace, type Namespace } from './namespace.ts'
import { delayCommands, lossRules, natRules } from './rules.ts'
import { type LinkPlan, namesOf, planLinks, type Quality, type Topology } from './topology.ts'

export interface Link extends LinkPlan {
  /** The fabric's end. */
  port: string
}

export interface LabNetwork {
  readonly links: readonly Link[]
  readonly names: readonly string[]
  /** Host or router. Throws, naming what there is, when there is none. */
  host(name: string): Namespace
  /** `HOST`, `ROUTER:SEGMENT`, or a router's name for its outer side. */
  link(name: string): Link
  /** No packet passes in either direction until healed. Ends see a carrier still. */
  cut(name: string): Promise<void>
  /** Takes away a cut; the topology's own loss comes back. */
  heal(name: string): Promise<void>
  /** Instead of what the link had. Rejects when the kernel cannot delay. */
  impair(name: string, quality: Quality): Promise<void>
  /** Names of links that are cut. */
  cuts(): Promise<string[]>
  /** A router forgets its mappings, as after a power cut. */
  reboot(router: string): Promise<void>
  /** Everything that passes a link, into a pcap file; on a cut one what its host sends. Runs until stopped. */
  capture(link: string, file: string, filter?: string): Promise<Capture>
  /** What another process needs for openNetwork. */
  record(): NetworkRecord
}

export interface NetworkRecord {
  topology: Topology
  fabric: number
  pids: Record<string, number>
}

const FABRIC = 'fabric'
/** Namespaces and cables made at once; more only makes a small machine swap tasks. */
const AT_ONCE = 8
/** A hundred veth pairs and bridge ports wait for one lock of the kernel. */
const SLOW_MS = 60_000

export async function buildNetwork(options: {
  processes: Processes
  mark: LabMark
  topology: Topology
}): Promise<LabNetwork> {
  const { processes, mark, topology } = options
  const hosts = namesOf(topology)
  const fabric = await makeNamespace({ processes, mark, name: FABRIC })
  const names = [...Object.keys(topology.hosts), ...Object.keys(topology.routers)]
  const namespaces = new Map<string, Namespace>()
  await inBatches(names, AT_ONCE, async (name) => {
    namespaces.set(name, await makeNamespace({ processes, mark, name, hosts }))
  })
  // Without this every interface would announce itself by IPv6; where a segment has it, its links switch it on.
  for (const { processes: inside } of [fabric, ...namespaces.values()])
    await runOk(inside, 'sysctl', ['-q', '-w', 'net.ipv6.conf.default.disable_ipv6=1'])
  const network = networkOf(topology, fabric, namespaces)
  const segments = Object.keys(topology.segments)
  await ip(fabric, [
    ...segments.map((_, i) => `link add ${bridge(i)} type bridge stp_state 0 mcast_snooping 0`),
    ...segments.map((_, i) => `link set ${bridge(i)} up`),
  ])
  // Frames that only pass through the fabric are none of its firewall's business.
  await runOk(fabric.processes, 'sh', ['-c', 'for f in /proc/sys/net/bridge/bridge-nf-call-*; do echo 0 > $f; done'])
  await inBatches(network.links, AT_ONCE, (link) => plug(network, fabric, link, segments.indexOf(link.segment)))
  for (const [name, router] of Object.entries(topology.routers)) {
    const { processes: inside } = network.host(name)
    const settings = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']
    const { udpTimeoutSeconds: seconds } = router
    // Conntrack's settings exist once something tracks, which the rules make so.
    await runOk(inside, 'nft', ['-f', '-'], { input: natRules(router.nat) })
    if (seconds !== undefined) {
      settings.push(`net.netfilter.nf_conntrack_udp_timeout=${seconds}`)
      settings.push(`net.netfilter.nf_conntrack_udp_timeout_stream=${seconds}`)
    }
    await runOk(inside, 'sysctl', ['-q', '-w', ...settings])
  }
  for (const { name, quality } of network.links)
    if (Object.keys(quality).length > 0) await network.impair(name, quality)
  return network
}

/** The network that another process built. */
export function openNetwork(record: NetworkRecord, options: { processes: Processes; mark: LabMark }): LabNetwork {
  const attach = (name: string, pid: number) => attachNamespace({ ...options, name, pid })
  const namespaces = new Map(Object.entries(record.pids).map(([name, pid]) => [name, attach(name, pid)]))
  return networkOf(record.topology, attach(FABRIC, record.fabric), namespaces)
}

function networkOf(topology: Topology, fabric: Namespace, namespaces: ReadonlyMap<string, Namespace>): LabNetwork {
  const all = [...Object.keys(topology.hosts), ...Object.keys(topology.routers)]
  const links = planLinks(topology).map((plan, i): Link => ({ ...plan, port: `p${i}` }))
  const find = (name: string): Link => {
    const outer = topology.routers[name]?.outside
    const link = links.find((l) => l.name === name || l.name === `${name}:${outer}`)
    if (!link) throw new Error(`there is no link ${name}; links: ${links.map((l) => l.name).join(', ')}`)
    return link
  }
  const host = (name: string): Namespace => {
    const found = namespaces.get(name)
    if (!found) throw new Error(`there is no host ${name}; hosts: ${all.join(', ')}`)
    return found
  }
  const lose = (link: Link, percent: number) =>
    runOk(fabric.processes, 'nft', ['-f', '-'], { input: lossRules(link.port, percent), timeoutMs: SLOW_MS })
  return {
    links,
    names: all,
    host,
    link: find,
    cut: async (name) => void (await lose(find(name), 100)),
    heal: async (name) => void (await lose(find(name), find(name).quality.lossPercent ?? 0)),
    async impair(name, { lossPercent = 0, delayMs = 0 }) {
      const link = find(name)
      await lose(link, lossPercent)
      for (const [where, dev] of [
        [fabric, link.port],
        [host(link.host), link.interface],
      ] as const)
        for (const args of delayCommands(dev, delayMs)) await delay(where, args)
    },
    async cuts() {
      const rules = await runOk(fabric.processes, 'nft', ['list', 'ruleset'])
      return links.filter(({ port }) => rules.includes(`comment "cut ${port} in"`)).map(({ name }) => name)
    },
    // An interface that goes down takes the mappings masqueraded to its address with it.
    async reboot(router) {
      const { interface: dev } = find(router)
      await ip(host(router), [`link set ${dev} down`, `link set ${dev} up`])
    },
    capture: (name, file, filter) => startCapture(fabric, find(name).port, join(file), filter),
    record: () => ({
      topology,
      fabric: fabric.pid,
      pids: Object.fromEntries([...namespaces].map(([name, { pid }]) => [name, pid])),
    }),
  }
}

const bridge = (segment: number) => `s${segment}`

async function plug(network: LabNetwork, fabric: Namespace, link: Link, segment: number): Promise<void> {
  const namespace = network.host(link.host)
  const { interface: dev, address, address6 } = link
  await ip(fabric, [
    `link add ${link.port} type veth peer name ${dev} netns ${namespace.pid}`,
    `link set ${link.port} master ${bridge(segment)} up`,
  ])
  const gateway = dev === 'eth0' && network.links.find((l) => l.segment === link.segment && l.interface === 'inside')
  await ip(namespace, [
    `addr add ${address}/24 dev ${dev}`,
    `link set ${dev} up`,
    ...(gateway ? [`route add default via ${gateway.address}`] : []),
  ])
  if (address6 === undefined) return
  // Nothing is asked of a router. The link-local address stays: neighbours of forwarded packets are sought from it.
  const conf = ['accept_ra=0', 'accept_dad=0', 'disable_ipv6=0'].map((set) => `net.ipv6.conf.${dev}.${set}`)
  await runOk(namespace.processes, 'sysctl', ['-q', '-w', ...conf])
  await ip(namespace, [
    `addr add ${address6}/64 dev ${dev} nodad`,
    ...(gateway && gateway.address6 !== undefined ? [`route add default via ${gateway.address6}`] : []),
    ...networksBehind(network.links, link).map(([to, via]) => `route add ${to} via ${via}`),
  ])
}

/** IPv6 is routed, not translated: whoever shares a segment with a router's outer side knows what lies behind it. */
function networksBehind(links: readonly Link[], { segment, host }: Link): [network: string, via: string][] {
  return links.flatMap((inner): [string, string][] => {
    const outer = links.find((l) => l.host === inner.host && l.interface === 'outside')
    if (inner.interface !== 'inside' || outer?.segment !== segment || outer.host === host) return []
    if (inner.address6 === undefined || outer.address6 === undefined) return []
    return [[inner.address6.replace(/::.*/, '::/64'), outer.address6]]
  })
}

async function ip(where: Namespace, commands: readonly string[]): Promise<void> {
  await runOk(where.processes, 'ip', ['-batch', '-'], { input: `${commands.join('\n')}\n`, timeoutMs: SLOW_MS })
}

async function delay(where: Namespace, args: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await where.processes.run('tc', [...args])
  if (exitCode === 0 || args.includes('del')) return
  if (/qdisc kind is unknown/.test(stderr))
    throw new Error('this kernel has no netem (CONFIG_NET_SCH_NETEM): a link can lose packets here, but not delay them')
  throw new Error(`tc ${args.join(' ')}: ${stderr.trim()}`)
}

/** Works on so many at once, the next batch when one is through. */
export async function inBatches<T>(items: readonly T[], size: number, work: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += size) await Promise.all(items.slice(at, at + size).map(work))
}
