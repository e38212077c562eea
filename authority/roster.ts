// Who can be reached: every enrolled node that has an address, by name and by address. Everything that sends or
// listens looks here, so that a node which was retired, re-enrolled or moved is another one from the next packet on.
import type { Allocator } from '../controllers/ports/allocator.ts'
import type { Enrolment, Registry } from '../controllers/ports/registry.ts'
import type { EnrolmentId, NodeId, TargetByte } from '../protocol/ids.ts'

export interface RosterEntry {
  node: string
  nodeId: NodeId
  enrolmentId: EnrolmentId
  /** Mesh address, dotted. */
  address: string
  /** Last octet of the address. */
  target: TargetByte
  /** X25519, base64. */
  commandPublicKey: string
  /** While its command key is being changed: the other one under which it may speak. */
  otherCommandKey?: string
  /** Ed25519, base64: what its release records are verified with. */
  signingPublicKey?: string
  hub: boolean
}

export interface Roster {
  get(node: string): RosterEntry | undefined
  byAddress(address: string): RosterEntry | undefined
  /** Sorted by target byte. */
  all(): readonly RosterEntry[]
  /** Reads one node anew, or all: after a Node's role or address changed. Changes of the registry are noticed. */
  refresh(node?: string): void
  /** Called with a node's name when its entry came, changed or went. */
  subscribe(listener: (node: string) => void): () => void
}

export interface RosterOptions {
  registry: Pick<Registry, 'of' | 'list' | 'subscribe'>
  allocator: Pick<Allocator, 'addressOf'>
  /** The Node object's facts; undefined when there is no such object. */
  nodeOf(node: string): { uid: string; hub: boolean } | undefined
  otherCommandKey?(node: string): string | undefined
}

/** The mesh address as a target byte; undefined when it is none (0, 255 or not dotted). */
export function targetOf(address: string): TargetByte | undefined {
  const last = /^(?:\d{1,3}\.){3}(\d{1,3})$/.exec(address)?.[1]
  const byte = Number(last)
  return last !== undefined && byte >= 1 && byte <= 254 ? byte : undefined
}

export function rosterOf(options: RosterOptions): Roster {
  const byNode = new Map<string, RosterEntry>()
  const byAddress = new Map<string, RosterEntry>()
  const listeners = new Set<(node: string) => void>()
  let sorted: readonly RosterEntry[] | undefined

  const build = (enrolment: Enrolment | undefined): RosterEntry | undefined => {
    const object = enrolment && options.nodeOf(enrolment.node)
    const address = object && options.allocator.addressOf(object.uid)
    const target = address && targetOf(address)
    if (!enrolment || !object || !address || !target) return undefined
    const other = options.otherCommandKey?.(enrolment.node)
    return {
      node: enrolment.node,
      nodeId: enrolment.nodeId,
      enrolmentId: enrolment.enrolmentId,
      address,
      target,
      commandPublicKey: enrolment.identity.commandPublicKey,
      signingPublicKey: enrolment.identity.signingPublicKey,
      hub: object.hub,
      ...(other !== undefined && { otherCommandKey: other }),
    }
  }

  const put = (node: string, entry: RosterEntry | undefined): void => {
    const before = byNode.get(node)
    if (same(before, entry)) return
    if (before && byAddress.get(before.address) === before) byAddress.delete(before.address)
    if (entry) {
      byNode.set(node, entry)
      byAddress.set(entry.address, entry)
    } else byNode.delete(node)
    sorted = undefined
    for (const listener of [...listeners]) listener(node)
  }

  const refresh = (node?: string): void => {
    if (node !== undefined) return void put(node, build(options.registry.of(node)))
    const enrolled = new Map(options.registry.list().map((enrolment) => [enrolment.node, enrolment]))
    for (const gone of [...byNode.keys()].filter((name) => !enrolled.has(name))) put(gone, undefined)
    for (const [name, enrolment] of enrolled) put(name, build(enrolment))
  }

  refresh()
  options.registry.subscribe(refresh)
  return {
    get: (node) => byNode.get(node),
    byAddress: (address) => byAddress.get(address),
    all: () => {
      sorted ??= [...byNode.values()].sort((a, b) => a.target - b.target)
      return sorted
    },
    refresh,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

function same(a: RosterEntry | undefined, b: RosterEntry | undefined): boolean {
  if (!a || !b) return a === b
  return (
    Object.keys(a).length === Object.keys(b).length &&
    (Object.keys(a) as (keyof RosterEntry)[]).every((field) => a[field] === b[field])
  )
}
