// What the admin socket offers, over a running authority.
import { KINDS, keyOf, type ObjectKey, parseKey } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import { PpnError } from '../../base/errors.ts'
import type { Store } from '../../controllers/ports/store.ts'
import type { RunRecord } from '../../controllers/runtime/history.ts'
import { armorBundle } from '../../protocol/bundle/armor.ts'
import { fingerprint, toBase64 } from '../../protocol/keys.ts'
import type { EventLog } from '../../stores/sqlite/event-log.ts'
import type { History } from '../../stores/sqlite/history.ts'
import type { AdminBackend, AdminEvent, AdminWatchEvent } from '../admin/backend.ts'
import type { BrakeSource } from '../brake.ts'
import { makeCard } from '../keys/fleet-card.ts'
import { type Keys, OPERATOR_FILE } from '../keys/keys.ts'
import type { Authority } from './authority.ts'
import { storeWatch } from './watch.ts'

export interface BackendOptions {
  authority: Authority
  events: Pick<EventLog, 'list'>
  history: Pick<History, 'list'>
  brakeSource: BrakeSource
  version: string
  /** Resolved paths. */
  fleet: string
  state: string
  backup(path: string, passphrase: string): Promise<{ path: string; bytes: number }>
}

/** The node that an object concerns, for what is under way there. */
function nodeOf(object: AnyObject): string | undefined {
  if (object.kind === 'Node') return object.metadata.name
  if (object.kind === 'Archive' || object.kind === 'ResourcePool' || object.kind === 'Pairing')
    return object.spec.nodeName
  return undefined
}

/** What `ppn get` shows. */
export const objectsOf = (
  store: Pick<Store, 'list'>,
  { kind, namespace, name }: Parameters<AdminBackend['objects']>[0],
): AnyObject[] =>
  (kind ? [kind] : KINDS)
    .flatMap((k) => store.list(k) as AnyObject[])
    .filter((o) => name === undefined || o.metadata.name === name)
    .filter((o) => namespace === undefined || o.metadata.namespace === undefined || o.metadata.namespace === namespace)

/** What `ppn keys` shows, but where the operator's secret half lies. */
export const publicHalves = ({ authorityId, signing, command, operator }: Keys) => ({
  authorityId,
  signingFingerprint: fingerprint(signing.publicKey),
  signingPublicKey: toBase64(signing.publicKey),
  commandPublicKey: toBase64(command.publicKey),
  operatorFingerprint: fingerprint(operator.publicKey),
  operatorPublicKey: toBase64(operator.publicKey),
})

/** How a verb is told which object. */
function argumentsOf(key: ObjectKey): string {
  const { kind, name, namespace } = parseKey(key)
  return `${kind.toLowerCase()}/${name}${namespace === undefined ? '' : ` -n ${namespace}`}`
}

export function adminBackend(options: BackendOptions): AdminBackend {
  const { authority, events, brakeSource } = options
  const { world, controllers, manager, publisher, keys, audit, brake } = authority
  const { store, fleet, commands } = world

  const mustBe = (node: string) => {
    if (!store.get('Node', node)) throw new PpnError('ObjectNotFound', { key: keyOf('Node', node) })
  }
  /** Those of this process, and before them what earlier ones kept. */
  const runsOf = (key: ObjectKey): RunRecord[] => {
    const own = manager.history(key)
    const since = own[0]?.startedMs ?? Number.POSITIVE_INFINITY
    const kept = options.history.list(key).map((row) => row.entry as RunRecord)
    return [...kept.filter((run) => run.startedMs < since), ...own]
  }
  return {
    version: () => ({
      version: options.version,
      pid: process.pid,
      meshId: keys.keys.meshId,
      authorityId: keys.keys.authorityId,
      fleet: options.fleet,
      state: options.state,
    }),
    health: () => ({
      term: world.authority.term(),
      revision: publisher.revision(),
      superseded: fleet.superseded(),
      brake: brake.last(),
      serving: authority.serving.downlink() !== undefined,
      servingReason: authority.serving.reason(),
      store: store.health(),
      idle: manager.idle(),
    }),
    objects: (filter) => objectsOf(store, filter),
    watch: (filter, signal): AsyncIterable<AdminWatchEvent> => storeWatch(store, filter, signal),
    explain(key) {
      const object = store.getByKey(key)
      if (!object) return undefined
      const node = nodeOf(object)
      return {
        key,
        object,
        runs: runsOf(key),
        node,
        pending: node === undefined ? [] : commands.pending(node),
        bundle: node === undefined ? undefined : publisher.state(node),
        view: node === undefined ? undefined : fleet.view(node),
      }
    },
    events: ({ key }): AdminEvent[] =>
      events.list(key === undefined ? {} : parseKey(key)).map((event) => ({
        type: event.type,
        reason: event.reason,
        message: event.message,
        key: keyOf(event.kind as AnyObject['kind'], event.name, event.namespace),
        count: event.count,
        firstMs: event.firstMs,
        lastMs: event.lastMs,
      })),
    holds() {
      const deletions = controllers.holds.list().map(({ key, rule, message, since }) => ({
        key,
        reason: rule,
        message: `${message}; put it back, or let it go with: ppn confirm ${argumentsOf(key)}`,
        sinceMs: Date.parse(since),
      }))
      const reverted = store
        .list('Node')
        .map((node) => ({ node: node.metadata.name, state: publisher.state(node.metadata.name) }))
        .filter(({ state }) => state.held)
        .map(({ node, state }) => ({
          key: keyOf('Node', node),
          reason: state.stage,
          message: `the node went back from revision ${state.revision ?? '-'}; change it, or try it again with: ppn confirm node/${node}`,
          sinceMs: fleet.view(node).lastHeardMs ?? world.clock.now(),
        }))
      return [...deletions, ...reverted]
    },
    async confirm(key) {
      const confirmed = await controllers.holds.confirm(key)
      const nodes =
        key === 'all'
          ? store.list('Node').map((n) => n.metadata.name)
          : [parseKey(key)].filter((k) => k.kind === 'Node').map((k) => k.name)
      for (const node of nodes) {
        if (!publisher.state(node).held) continue
        publisher.retry(node)
        confirmed.push(keyOf('Node', node))
      }
      for (const one of confirmed) await audit.durable('confirmation', { key: one })
      return confirmed
    },
    async retry(node) {
      mustBe(node)
      publisher.retry(node)
      await audit.durable('confirmation', { key: keyOf('Node', node), what: 'retry' })
    },
    create: (kind, name, spec) => store.create(kind, name, spec),
    amend: (key, spec) => store.amend(key, spec),
    ceremony(name) {
      const pairing = store.get('Pairing', name)
      if (!pairing) throw new PpnError('ObjectNotFound', { key: keyOf('Pairing', name) })
      const { session } = world.ceremonies.view(pairing.metadata.uid)
      const ready = pairing.status?.conditions.find((c) => c.type === 'Ready')
      const same = session !== undefined && (pairing.spec.trustCode || pairing.spec.sas === session.sas)
      return {
        phase: pairing.status?.phase ?? 'Pending',
        reason: ready?.reason ?? 'Pending',
        message: ready?.message ?? '',
        ...(session && {
          machine: {
            hostname: session.hostname,
            from: session.from,
            agentVersion: session.agentVersion,
            wireguardPublicKey: session.identity.wireguardPublicKey,
          },
        }),
        ...(same && { digits: session.sas }),
      }
    },
    remove: (key) => store.remove(key),
    async enrol(node, identity) {
      const object = store.get('Node', node)
      if (!object) throw new PpnError('ObjectNotFound', { key: keyOf('Node', node) })
      const nodeId = await world.allocator.nodeId(object.metadata.uid, node)
      const result = await world.registry.enrol(node, nodeId, identity, 'simulated')
      if (!result.ok) throw new PpnError('EnrolmentRefused', { node, reason: result.reason, why: result.message })
    },
    async bundle(node) {
      mustBe(node)
      const bytes = await publisher.firstBundle(node)
      return { armored: armorBundle(bytes), fingerprint: fingerprint(keys.keys.signing.publicKey) }
    },
    keys: () => ({
      ...publicHalves(keys.keys),
      operatorSecretPath: `${options.state}/keys/${OPERATOR_FILE}`,
      operatorSecretHere: keys.operatorSecretPresent,
    }),
    async brake(set, reason) {
      await (set ? brakeSource.set(reason) : brakeSource.release())
      await brake.read()
      await audit.durable('confirmation', { what: set ? 'brake set' : 'brake released', reason })
    },
    async sever(node, throughBrake) {
      mustBe(node)
      const downlink = authority.serving.downlink()
      if (!downlink) throw new PpnError('NotServing', { why: authority.serving.reason() ?? 'just starting' })
      await audit.durable('confirmation', { key: keyOf('Node', node), what: 'sever' })
      await (throughBrake ? downlink.commands.severThroughBrake(node) : downlink.commands.sever(node))
    },
    async rotateKeys(nodes) {
      const enrolled = authority.registry.list().map(({ node }) => node)
      for (const node of nodes === 'all' ? [] : nodes) {
        mustBe(node)
        if (!enrolled.includes(node)) throw new PpnError('NothingWanted', { node })
      }
      await authority.rotation.ask(nodes === 'all' ? enrolled : nodes)
    },
    rotation: () => authority.rotation.states(),
    fleetCard: () =>
      makeCard({
        keys: keys.keys,
        registry: authority.registry,
        addressOf: (node) => authority.roster.get(node)?.address,
        term: world.authority.term(),
        revision: publisher.revision(),
        authorityAddresses: authority.addresses(),
      }),
    async leave(node) {
      mustBe(node)
      await audit.durable('confirmation', { key: keyOf('Node', node), what: 'leave' })
      await authority.leave(node)
    },
    backup: (path, passphrase) => options.backup(path, passphrase),
  }
}
