// Who is enrolled, in `nodes.jsonl`: append-only, hash-chained, each line signed under "ppn-registry/1". A line is
// durable before anyone is told. Losing lines shows: bundles carry the head, telemetry returns the highest seen, and
// one above ours stops enrolment.
import { z } from 'zod'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import { nodeIdentity } from '../../api/v1alpha1/node.ts'
import { type ChainedLog, type ChainHead, openChainedLog } from '../../base/chained-log.ts'
import type { Clock } from '../../base/clock.ts'
import type { Files } from '../../base/files.ts'
import { type RandomBytes, randomId } from '../../base/random.ts'
import type { Enrolment, EnrolResult, Registry } from '../../controllers/ports/registry.ts'
import type { NodeId } from '../../protocol/ids.ts'
import { signDomain, verifyDomain } from '../../protocol/sign.ts'
import { serial } from '../allocation/serial.ts'

export const REGISTRY_FILE = 'nodes.jsonl'

const id = z.string().regex(/^[0-9a-f]{32}$/)
const head = z.strictObject({ count: z.int().min(0), hash: z.string().regex(/^[0-9a-f]{64}$/) })
/** What an entry of the registry is. */
export const registryLine = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('enrol'),
    atMs: z.int(),
    node: z.string(),
    nodeId: id,
    enrolmentId: id,
    identity: nodeIdentity,
    how: z.enum(['declared', 'simulated', 'paired']),
    confirmedBy: z.enum(['person', 'trustCode']).optional(),
  }),
  z.strictObject({ type: z.literal('retire'), atMs: z.int(), node: z.string(), enrolmentId: id, reason: z.string() }),
  // After a restore: lines up to this head are known to be lost, and numbering goes on above it.
  z.strictObject({ type: z.literal('adopt'), atMs: z.int(), head }),
])
type Line = z.output<typeof registryLine>

export interface NodeRegistry extends Registry {
  /**
   * The highest head this node has seen. Above ours, or another line at the same number: lines were lost or forged,
   * and nobody new is enrolled until a restore adopts it.
   */
  observeHead(node: string, head: ChainHead): void
  /** `ppn restore`: takes the highest head observed as lost lines; the next line is numbered above it. Durable. */
  adoptObserved(): Promise<void>
  /** Why enrolment is stopped, for the Mesh's status. */
  behind(): { node: string; head: ChainHead } | undefined
  /** Reads and verifies the whole file anew, signatures included. Throws ChainBroken. */
  verify(): Promise<ChainHead>
}

export interface RegistryOptions {
  files: Files
  clock: Clock
  random: RandomBytes
  signing: { secretKey: Uint8Array; publicKey: Uint8Array }
}

const keysOf = (identity: NodeIdentity): string[] => [
  identity.wireguardPublicKey,
  identity.commandPublicKey,
  identity.signingPublicKey,
]

const sameIdentity = (a: NodeIdentity, b: NodeIdentity): boolean => keysOf(a).every((key, i) => key === keysOf(b)[i])

/** Opens `nodes.jsonl` in `files`, verifying all of it. Throws ChainBroken. */
export async function openRegistry(options: RegistryOptions): Promise<NodeRegistry> {
  const { files, clock, random, signing } = options
  const log: ChainedLog = await openChainedLog(files, REGISTRY_FILE, {
    sign: (bytes) => signDomain('ppn-registry/1', bytes, signing.secretKey),
    verify: (bytes, signature) => verifyDomain('ppn-registry/1', bytes, signature, signing.publicKey),
  })
  const active = new Map<string, Enrolment>()
  /** public key -> the node it is enrolled for. */
  const holders = new Map<string, string>()
  /** Our lines by their published number. */
  const hashes = new Map<number, string>()
  /** node -> the head it reported. */
  const observed = new Map<string, ChainHead>()
  const listeners = new Set<(node: string) => void>()
  const exclusive = serial()
  /** How far published numbers lie above the file's own. */
  let offset = 0

  const publishedHead = (): ChainHead => ({ count: log.head().count + offset, hash: log.head().hash })

  function absorb(entry: Line, n: number, hash: string): void {
    if (entry.type === 'adopt') offset = Math.max(offset, entry.head.count + 1 - n)
    else if (entry.type === 'enrol') {
      const { type: _, atMs: __, ...enrolment } = entry
      active.set(entry.node, enrolment)
      for (const key of keysOf(entry.identity)) holders.set(key, entry.node)
    } else {
      const gone = active.get(entry.node)
      active.delete(entry.node)
      observed.delete(entry.node)
      for (const key of gone ? keysOf(gone.identity) : []) holders.delete(key)
    }
    hashes.set(n + offset, hash)
  }

  async function write(entry: Line): Promise<void> {
    const { count, hash } = await log.append(entry)
    absorb(entry, count, hash)
    if (entry.type !== 'adopt') for (const listener of [...listeners]) listener(entry.node)
  }

  for (const { entry, n, hash } of await log.entries()) absorb(registryLine.parse(entry), n, hash)

  const isBehind = (seen: ChainHead): boolean =>
    seen.count > publishedHead().count || (hashes.get(seen.count) ?? seen.hash) !== seen.hash

  function behind(): { node: string; head: ChainHead } | undefined {
    let worst: { node: string; head: ChainHead } | undefined
    for (const [node, seen] of observed)
      if (isBehind(seen) && seen.count > (worst?.head.count ?? -1)) worst = { node, head: seen }
    return worst
  }

  function refusal(node: string, nodeId: NodeId, identity: NodeIdentity): EnrolResult | undefined {
    const known = active.get(node)
    if (known && sameIdentity(known.identity, identity) && known.nodeId === nodeId)
      return { ok: true, enrolment: known }
    if (known) {
      const message = `${node} is enrolled with other keys; the machine must be replaced explicitly`
      return { ok: false, reason: 'IdentityDiffers', message }
    }
    const holder = keysOf(identity)
      .map((key) => holders.get(key))
      .find((other) => other !== undefined)
    if (holder !== undefined)
      return { ok: false, reason: 'KeyEnrolledElsewhere', message: `a key of ${node} is enrolled for ${holder}` }
    const ahead = behind()
    if (!ahead) return undefined
    const message = `${ahead.node} has seen registry line ${ahead.head.count}, ours ends at ${publishedHead().count}`
    return { ok: false, reason: 'RegistryBehind', message }
  }

  return {
    of: (node) => active.get(node),
    list: () => [...active.values()].sort((a, b) => (a.node < b.node ? -1 : 1)),
    enrol: (node, nodeId, identity, how, confirmedBy) =>
      exclusive(async () => {
        const settled = refusal(node, nodeId, identity)
        if (settled) return settled
        const enrolment: Enrolment = {
          node,
          nodeId,
          enrolmentId: randomId(random),
          identity: { ...identity },
          how,
          ...(confirmedBy && { confirmedBy }),
        }
        await write({ type: 'enrol', atMs: clock.now(), ...enrolment })
        return { ok: true, enrolment }
      }),
    retire: (node, reason) =>
      exclusive(async () => {
        const known = active.get(node)
        if (known) await write({ type: 'retire', atMs: clock.now(), node, enrolmentId: known.enrolmentId, reason })
      }),
    head: publishedHead,
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    observeHead(node, seen) {
      if (active.has(node)) observed.set(node, { count: seen.count, hash: seen.hash })
    },
    adoptObserved: () =>
      exclusive(async () => {
        const ahead = behind()
        if (ahead) await write({ type: 'adopt', atMs: clock.now(), head: ahead.head })
        // A head at a number of ours with another hash stays what it is: a fork; it is forgotten with its line.
        for (const [node, seen] of observed) if (seen.count < publishedHead().count) observed.delete(node)
      }),
    behind,
    verify: () => log.verify(),
  }
}
