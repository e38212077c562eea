// A publisher among model agents, on a virtual clock: pushes, APPLYs and reports take the time and suffer the losses
// that a test says. `restart` is a crash: what is on its way still arrives, nothing else is left but the records.
import { silentLogger } from '../../../base/log.ts'
import type { WantedContent } from '../../../controllers/ports/bundles.ts'
import type { NodeView } from '../../../controllers/ports/fleet.ts'
import type { Enrolment } from '../../../controllers/ports/registry.ts'
import type { StoredRecord } from '../../../controllers/ports/store.ts'
import { generateEd25519 } from '../../../protocol/keys.ts'
import { seededRandom } from '../../../testing/seeded-random.ts'
import { virtualClock } from '../../../testing/virtual-clock.ts'
import { memoryRecords } from '../../allocation/testing/memory-records.ts'
import { createPublisher, type Publisher } from '../publisher.ts'
import { type ModelAgent, modelAgent } from './model-agent.ts'

const SIGNING = generateEd25519(seededRandom(7))
const AUTHORITY = 'a'.repeat(32)
const KEY = `${'A'.repeat(43)}=`

interface Publication {
  node: string
  term: number
  revision: number
  digest: string
  switch: 'onApply' | 'onReceipt'
  why: string
}

type Happening = ({ type: 'push' } & Publication) | { type: 'apply'; revision: number; term: number }

/** A content told apart by `mtu`; `address` of the authority and others as asked. */
export function contentOf(octet: number, mtu: number, authority = '10.8.0.1'): WantedContent {
  return {
    authorities: [{ id: AUTHORITY, commandPublicKey: KEY, signingPublicKey: KEY, addresses: [authority] }],
    operatorKey: KEY,
    meshEpochMs: 0,
    mesh: {
      name: 'default',
      cidr: '10.8.0.0/24',
      ports: { wireguard: 51820, command: 8090, telemetry: 8091, sync: 8092, pairing: 9202, holding: 9443 },
    },
    node: { name: `n${octet}`, role: 'spoke', address: `10.8.0.${octet}` },
    interface: { name: 'ppn0', mtu, listenPort: 51820 },
    peers: [],
    pool: {
      reservedMiB: 512,
      overcommitPercent: 100,
      balloon: { policy: 'Auto', lowWatermarkPercent: 15, highWatermarkPercent: 30, emergencyPercent: 5 },
      reservedWeight: 100,
    },
    archives: [],
    pushes: [],
  }
}

export function bundleWorld(count: number) {
  const clock = virtualClock()
  const facts = new Map<string, StoredRecord>()
  const happenings: Happening[] = []
  const names = Array.from({ length: count }, (_, i) => `n${i + 2}`)
  const agents = new Map<string, ModelAgent>()
  const views = new Map<string, NodeView>()
  const listeners = new Set<(node: string) => void>()
  const enrolments = new Map<string, Enrolment>()
  const enrolled = new Set<(node: string) => void>()
  const faults = {
    braked: false,
    /** Milliseconds of a push, an APPLY and a report to or from a node; undefined: lost. */
    push: (_node: string): number | undefined => 1,
    apply: (_node: string): number | undefined => 1,
    report: (_node: string): number => 1,
    unreached: undefined as string | undefined,
  }
  /** Nodes whose term a bundle may have raised. */
  const raised = new Set<string>()
  let term = 0
  let stop = new AbortController()
  let publisher: Publisher | undefined

  const octetOf = (node: string) => Number(node.slice(1))
  const agentOf = (node: string): ModelAgent => agents.get(node) as ModelAgent

  const say = (node: string): void => {
    for (const listener of [...listeners]) listener(node)
  }
  const setView = (node: string, view: Omit<NodeView, 'node'>): void => {
    views.set(node, { node, ...view })
    say(node)
  }
  /** The node's report as it is on arrival. */
  const report = (node: string): void => {
    const reign = term
    clock.after(faults.report(node), () => {
      if (reign !== term || views.get(node)?.liveness !== 'Fresh') return
      setView(node, { liveness: 'Fresh', bootId: 'b', term, report: agentOf(node).report() })
    })
  }

  for (const [i, node] of names.entries()) {
    const id = (i + 1).toString(16).padStart(32, '0')
    const identity = { wireguardPublicKey: KEY, commandPublicKey: KEY, signingPublicKey: KEY }
    enrolments.set(node, { node, nodeId: id, enrolmentId: id, identity, how: 'simulated' })
    agents.set(
      node,
      modelAgent({ authorityId: AUTHORITY, signingPublicKey: SIGNING.publicKey }, () => report(node)),
    )
    views.set(node, { node, liveness: 'Unheard' })
  }

  const world = {
    clock,
    facts,
    faults,
    happenings,
    raised,
    names,
    enrolments,
    agent: agentOf,
    octetOf,
    publisher: (): Publisher => publisher as Publisher,
    term: () => term,
    pushes: () => happenings.filter((h) => h.type === 'push'),
    applies: () => happenings.filter((h) => h.type === 'apply').map((h) => h.revision),
    want: (node: string, mtu: number, authority?: string) =>
      world.publisher().want(node, contentOf(octetOf(node), mtu, authority)),
    enrol(node: string, enrolment: Enrolment | undefined) {
      if (enrolment) enrolments.set(node, enrolment)
      else enrolments.delete(node)
      for (const listener of [...enrolled]) listener(node)
    },
    hear(node: string) {
      const agent = agentOf(node)
      agent.term = Math.max(agent.term, term)
      setView(node, { liveness: 'Fresh', bootId: 'b', term, report: agent.report() })
    },
    silence: (node: string) => setView(node, { ...(views.get(node) as NodeView), liveness: 'Stale' }),
    unheard: (node: string) => setView(node, { liveness: 'Unheard' }),
    stop: () => stop.abort(),
    /** The same process serves again. */
    serve() {
      stop = new AbortController()
      world.publisher().start(stop.signal)
    },
    /** A new authority process; every node is unheard until `hear`. */
    start(options: { lastConnected?: string[] } = {}) {
      stop.abort()
      stop = new AbortController()
      term++
      const reign = term
      listeners.clear()
      enrolled.clear()
      for (const node of names) views.set(node, { node, liveness: 'Unheard' })
      publisher = createPublisher({
        clock,
        log: silentLogger(),
        records: memoryRecords(facts),
        fleet: {
          view: (node) => views.get(node) ?? { node, liveness: 'Unheard' },
          superseded: () => false,
          subscribe: (listener) => {
            listeners.add(listener)
            return () => listeners.delete(listener)
          },
        },
        registry: {
          of: (node) => enrolments.get(node),
          head: () => ({ count: 3, hash: 'c'.repeat(64) }),
          subscribe: (listener) => {
            enrolled.add(listener)
            return () => enrolled.delete(listener)
          },
        },
        keys: { authorityId: AUTHORITY, meshId: 'd'.repeat(32), signing: SIGNING },
        reign: { term: () => reign, silence: () => undefined, noteSent: (node) => void raised.add(node) },
        push: async (to, bytes, signal) => {
          const node = `n${to.address.split('.')[3]}`
          const ms = faults.push(node)
          await clock.sleep(ms ?? 1, signal)
          if (ms === undefined) throw new Error('lost')
          agentOf(node).receive(bytes)
        },
        unreached: () => faults.unreached,
        broadcastApply: async (revision) => {
          happenings.push({ type: 'apply', revision, term: reign })
          for (const node of names) {
            const ms = faults.apply(node)
            if (ms !== undefined) clock.after(ms, () => agentOf(node).apply({ term: reign, revision }))
          }
          return { sent: names, held: [] }
        },
        ceiling: () => ({ term: reign, sequence: 500 }),
        guard: async () => !faults.braked,
        audit: {
          record: (_, details) => void happenings.push({ type: 'push', ...(details as unknown as Publication) }),
        },
        ...options,
      })
      publisher.start(stop.signal)
    },
  }
  return world
}
