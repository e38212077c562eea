// Who is enrolled, in `nodes.jsonl`: append-only, hash-chained, each line signed under "ppn-registry/1". A line is
// durable before anyone is told. Losing lines shows: bundles carry the head, telemetry returns the highest seen, and
// one above ours stops enrolment.
import { z } from 'zod'
import type { NodeIdentity } from '../../api/v1alpha1/node.ts'
import { nodeIdentity } from '../../api/v1alpha1/node.ts'
import { type ChainedLog, type ChainHead, openChainedLog } from '../../base/chained-log.ts'
import type { Clock } from '../../base/clock.ts'
import { PpnError } from '../../base/errors.ts'
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
  // Another key of the same machine (REKEY), or back to the one before.
  z.strictObject({
    type: z.literal('rekey'),
    atMs: z.int(),
    node: z.string(),
    enrolmentId: id,
    identity: nodeIdentity,
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
  /** The machine of this enrolment has other keys from now on. Durable. No-op when it has them, or is gone. */
  rekey(node: string, identity: NodeIdentity): Promise<void>
  /** An enrolment of an authority that this one replaces, under its own id. Durable; a no-op for one that is known. */
  inherit(enrolment: Enrolment): Promise<void>
  /** Reads and verifies the whole file anew, signatures included. Throws ChainBroken. */
  verify(): Promise<ChainHead>
}

export interface RegistryOptions {
  files: Files
  clock: Clock
  random: RandomBytes
  signing: { secretKey: Uint8Array; publicKey: Uint8Array }
  /** Ed25519: what this fleet's authorities signed with before; lines of theirs stay true. */
  formerSigning?: readonly Uint8Array[]
}

/** Reason of a `retire` line: the machine is thrown out for good, and its keys are refused under every name. */
export const SEVERED = 'severed'

const keysOf = (identity: NodeIdentity): string[] => [
  identity.wireguardPublicKey,
  identity.commandPublicKey,
  identity.signingPublicKey,
]

function withKeys({ enrolledWith, ...enrolment }: Enrolment, identity: NodeIdentity): Enrolment {
  const first = enrolledWith ?? enrolment.identity
  return { ...enrolment, identity, ...(!sameIdentity(first, identity) && { enrolledWith: first }) }
}

const sameIdentity = (a: NodeIdentity, b: NodeIdentity): boolean => keysOf(a).every((key, i) => key === keysOf(b)[i])

/** Opens `nodes.jsonl` in `files`, verifying all of it. Throws ChainBroken. */
export async function openRegistry(options: RegistryOptions): Promise<NodeRegistry> {
  const { files, clock, random, signing, formerSigning = [] } = options
  const log: ChainedLog = await openChainedLog(files, REGISTRY_FILE, {
    sign: (bytes) => signDomain('ppn-registry/1', bytes, signing.secretKey),
    verify: (bytes, signature) =>
      [signing.publicKey, ...formerSigning].some((key) => verifyDomain('ppn-registry/1', bytes, signature, key)),
  })
  const active = new Map<string, Enrolment>()
  /** public key -> the node it is enrolled for. */
  const holders = new Map<string, string>()
  /** Keys of machines that were severed -> the node each was enrolled for. */
  const severed = new Map<string, string>()
  /** node -> its last enrolment that ended. */
  const ended = new Map<string, Enrolment>()
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
    } else if (entry.type === 'rekey') {
      const known = active.get(entry.node)
      if (known) active.set(entry.node, withKeys(known, entry.identity))
      for (const key of keysOf(entry.identity)) holders.set(key, entry.node)
    } else {
      const gone = active.get(entry.node)
      active.delete(entry.node)
      observed.delete(entry.node)
      if (gone) ended.set(entry.node, gone)
      for (const [key, node] of [...holders]) {
        if (node !== entry.node) continue
        holders.delete(key)
        if (entry.reason === SEVERED) severed.set(key, node)
      }
    }
    hashes.set(n + offset, hash)
  }

  async function write(entry: Line): Promise<void> {
    const { count, hash } = await log.append(entry)
    absorb(entry, count, hash)
    if (entry.type !== 'adopt') for (const listener of [...listeners]) listener(entry.node)
  }

  for (const { entry, n, hash } of await log.entries()) {
    // Signed by us and yet not ours to read: a newer ppn wrote it.
    const known = registryLine.safeParse(entry).data
    if (!known)
      throw new PpnError('ChainBroken', { name: REGISTRY_FILE, line: n, why: 'holds an entry not known here' })
    absorb(known, n, hash)
  }

  const isBehind = (seen: ChainHead): boolean =>
    seen.count > publishedHead().count || (hashes.get(seen.count) ?? seen.hash) !== seen.hash

  function behind(): { node: string; head: ChainHead } | undefined {
    let worst: { node: string; head: ChainHead } | undefined
    for (const [node, seen] of observed)
      if (isBehind(seen) && seen.count > (worst?.head.count ?? -1)) worst = { node, head: seen }
    return worst
  }

  function refusal(
    node: string,
    nodeId: NodeId,
    identity: NodeIdentity,
    replacing: string | undefined,
  ): EnrolResult | undefined {
    const thrownOut = keysOf(identity).find((key) => severed.has(key))
    if (thrownOut !== undefined) {
      const message = `a key of ${node} is of the machine that was severed as ${severed.get(thrownOut)}: it is refused for good`
      return { ok: false, reason: 'KeySevered', message }
    }
    const known = active.get(node)
    const isKnown = (keys: NodeIdentity | undefined) => keys !== undefined && sameIdentity(keys, identity)
    if (known && (isKnown(known.identity) || isKnown(known.enrolledWith)) && known.nodeId === nodeId)
      return { ok: true, enrolment: known }
    if (known && replacing === undefined) {
      const message = `${node} is enrolled with other keys; the machine must be replaced explicitly`
      return { ok: false, reason: 'IdentityDiffers', message }
    }
    const holder = keysOf(identity)
      .map((key) => holders.get(key))
      .find((other) => other !== undefined && other !== node)
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
    enrol: (node, nodeId, identity, how, confirmedBy, replacing) =>
      exclusive(async () => {
        const settled = refusal(node, nodeId, identity, replacing)
        if (settled) return settled
        const before = active.get(node)
        if (before && replacing !== undefined)
          await write({ type: 'retire', atMs: clock.now(), node, enrolmentId: before.enrolmentId, reason: replacing })
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
    ended: (node) => ended.get(node),
    rekey: (node, identity) =>
      exclusive(async () => {
        const known = active.get(node)
        if (!known || sameIdentity(known.identity, identity)) return
        const { enrolmentId } = known
        await write({ type: 'rekey', atMs: clock.now(), node, enrolmentId, identity: { ...identity } })
      }),
    inherit: ({ enrolledWith, ...enrolment }) =>
      exclusive(async () => {
        const { node, enrolmentId, identity } = enrolment
        if (active.get(node)?.enrolmentId !== enrolmentId)
          await write({ type: 'enrol', atMs: clock.now(), ...enrolment, identity: enrolledWith ?? identity })
        if (enrolledWith) await write({ type: 'rekey', atMs: clock.now(), node, enrolmentId, identity })
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
