// What a lab's networks look like: segments, hosts on them, routers between them. A person writes it as YAML, a test as
// a literal; both pass the same checks.
import { parse } from 'yaml'
import { z } from 'zod'

const Name = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/, 'a DNS label of at most 32')
const Percent = z.number().min(0).max(100)

/** What a link does to packets, the same in both directions. */
export const QualitySchema = z.strictObject({
  /** Of the packets each way. */
  lossPercent: Percent.optional(),
  /** Each way. Needs a kernel with netem. */
  delayMs: z.number().min(0).max(10_000).optional(),
})

const SegmentSchema = z.strictObject({
  /** IPv4, a /24. Hosts get the addresses from .10 on, routers .1 on their inner side, in the order of the file. */
  cidr: z.cidrv4().regex(/\.0\/24$/, 'a /24'),
  /** IPv6 beside it, a /64, with the same last numbers. Routers route it without NAT, and let in only answers. */
  cidr6: z
    .cidrv6()
    .regex(/::\/64$/, 'a /64 that ends in ::/64')
    .optional(),
})

const HostSchema = z.strictObject({
  segment: Name,
  /** Names that resolve to this host's address on every host of the lab. */
  names: z.array(z.string()).default([]),
  link: QualitySchema.default({}),
})

const RouterSchema = z.strictObject({
  inside: Name,
  outside: Name,
  /**
   * `masquerade`: one address outside; ports are kept where they are free (endpoint-independent in practice).
   * `symmetric`: another random port for every destination. `none`: routes, and lets everybody in.
   * Both NATs admit from outside only what answers something from inside.
   */
  nat: z.enum(['masquerade', 'symmetric', 'none']).default('masquerade'),
  /** How long a UDP mapping lives without a packet, seconds. Kernel: 30, and 120 once it was answered. */
  udpTimeoutSeconds: z.number().int().min(1).max(3600).optional(),
  /** Of the outer side. */
  link: QualitySchema.default({}),
})

export const TopologySchema = z
  .strictObject({
    segments: z.record(Name, SegmentSchema),
    hosts: z.record(Name, HostSchema),
    routers: z.record(Name, RouterSchema).default({}),
  })
  .superRefine((t, ctx) => {
    const known = (path: string[], segment: string) => {
      if (!(segment in t.segments)) ctx.addIssue({ code: 'custom', path, message: `there is no segment ${segment}` })
    }
    for (const [name, { segment }] of Object.entries(t.hosts)) known(['hosts', name, 'segment'], segment)
    for (const [name, { inside, outside }] of Object.entries(t.routers)) {
      known(['routers', name, 'inside'], inside)
      known(['routers', name, 'outside'], outside)
      if (inside === outside) ctx.addIssue({ code: 'custom', path: ['routers', name], message: 'it joins one segment' })
      if (name in t.hosts) ctx.addIssue({ code: 'custom', path: ['routers', name], message: 'it is a host as well' })
    }
    const inner = Object.values(t.routers).map((r) => r.inside)
    for (const segment of inner.filter((s, i) => inner.indexOf(s) !== i))
      ctx.addIssue({ code: 'custom', path: ['segments', segment], message: 'only one router may have it inside' })
  })

export type Quality = z.infer<typeof QualitySchema>
export type TopologyInput = z.input<typeof TopologySchema>
export type Topology = z.infer<typeof TopologySchema>

/** Throws with every fault, one a line. */
export function parseTopology(input: unknown): Topology {
  const parsed = TopologySchema.safeParse(input)
  if (parsed.success) return parsed.data
  throw new Error(parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('\n'))
}

export const topologyFromYaml = (text: string): Topology => parseTopology(parse(text))

/** One end of a cable: a host or router on a segment. */
export interface LinkPlan {
  /** `HOST`, or `ROUTER:SEGMENT`, as a person names it. */
  name: string
  host: string
  segment: string
  /** Inside the host. */
  interface: string
  address: string
  /** Where the segment has IPv6. */
  address6?: string
  quality: Quality
}

const FIRST_HOST = 10

/** Every link with its address, in the order of the file. Pure: the same topology, the same addresses. */
export function planLinks({ segments, hosts, routers }: Topology): LinkPlan[] {
  const next = new Map<string, number>()
  const addresses = (segment: string, last?: number): Pick<LinkPlan, 'address' | 'address6'> => {
    const n = last ?? next.get(segment) ?? FIRST_HOST
    if (last === undefined) next.set(segment, n + 1)
    if (n > 254) throw new Error(`segment ${segment} has no address left`)
    const { cidr, cidr6 } = segments[segment] as Topology['segments'][string]
    const address = cidr.replace(/\.0\/24$/, `.${n}`)
    return { address, ...(cidr6 !== undefined && { address6: cidr6.replace('::/64', `::${n}`) }) }
  }
  const ofHosts = Object.entries(hosts).map(
    ([host, { segment, link }]): LinkPlan => ({
      ...{ name: host, host, segment, interface: 'eth0' },
      ...addresses(segment),
      quality: link,
    }),
  )
  const ofRouters = Object.entries(routers).flatMap(([host, { inside, outside, link }]): LinkPlan[] => [
    {
      ...{ name: `${host}:${inside}`, host, segment: inside, interface: 'inside' },
      ...addresses(inside, 1),
      quality: {},
    },
    {
      ...{ name: `${host}:${outside}`, host, segment: outside, interface: 'outside' },
      ...addresses(outside),
      quality: link,
    },
  ])
  return [...ofHosts, ...ofRouters]
}

/** What /etc/hosts says on every host. */
export function namesOf(topology: Topology): Record<string, string> {
  const addresses = new Map(planLinks(topology).map((l) => [l.name, l.address]))
  return Object.fromEntries(
    Object.entries(topology.hosts).flatMap(([host, { names }]) =>
      names.map((name): [string, string] => [name, addresses.get(host) as string]),
    ),
  )
}
