// The authority, put together: one store, all controllers, and everything that acts downward.

import { keyOf } from '../../api/meta.ts'
import { PpnError } from '../../base/errors.ts'
import { openSegmentedLog } from '../../base/segmented-log.ts'
import { buildControllers, type Controllers } from '../../controllers/index.ts'
import { effectiveMesh } from '../../controllers/mesh/effective.ts'
import type { World } from '../../controllers/ports/world.ts'
import { createManager, type Manager } from '../../controllers/runtime/manager.ts'
import type { SequenceMark, Term } from '../../protocol/ids.ts'
import { toBase64 } from '../../protocol/keys.ts'
import { createAllocator, type DurableAllocator } from '../allocation/allocator.ts'
import { AUDIT_FILE, type Audit, auditTo } from '../audit.ts'
import { type Brake, fileBrake } from '../brake.ts'
import { createPublisher, type Publisher } from '../bundles/publisher.ts'
import { syncPusher } from '../bundles/push.ts'
import { ownReplacement, readDocuments } from '../keys/documents.ts'
import { type LoadedKeys, loadOrCreateKeys, OPERATOR_ADVICE } from '../keys/keys.ts'
import { createRotation, type Rotation } from '../keys/rotation.ts'
import { takeOffice } from '../keys/take-office.ts'
import { tellNodes } from '../keys/tell-nodes.ts'
import { noMetrics, promMetrics } from '../metrics.ts'
import { markInRecords, refuseMoved } from '../migrate/mark.ts'
import { type NodeRegistry, openRegistry } from '../registry/registry.ts'
import { type Roster, rosterOf } from '../roster.ts'
import { lastConnected } from '../term/last-connected.ts'
import { recordedTerm } from '../term/raise.ts'
import { readRestore } from '../term/restore.ts'
import { resumeRestore, takeClaims } from './claims.ts'
import { departures } from './departures.ts'
import { promFleetMetrics } from './fleet-metrics.ts'
import { joining } from './joining.ts'
import { lateCommands, lateFleet } from './late.ts'
import type { AuthorityOptions } from './options.ts'
import { placesOf } from './place.ts'
import { auditedEvents, auditProblems } from './refusals.ts'
import { promRuntimeMetrics } from './runtime-metrics.ts'
import { type Serving, startServing } from './serving.ts'

export interface Authority {
  controllers: Controllers
  manager: Manager
  world: World
  keys: LoadedKeys
  registry: NodeRegistry
  allocator: DurableAllocator
  publisher: Publisher
  roster: Roster
  rotation: Rotation
  brake: Brake
  audit: Audit
  serving: Serving
  /**
   * The node leaves in good order: it is told, and its enrolment ends. Rejects with NotServing, SeverRefused,
   * CommandHeld; then nothing has begun.
   */
  leave(node: string): Promise<void>
  /** Where an authority of this mesh may speak from; empty while no such node has an address. */
  addresses(): string[]
  /** Waits for what is under way, writes what waits. The fleet runs on. */
  stop(): Promise<void>
}

/** Kinds whose objects decide where the authority stands. */
const PLACE_KINDS = new Set(['Node', 'Mesh'])

/** At or above everything sent under `term`, for a time in which nothing is sent: the next reign has a higher term. */
const endOfReign = (term: Term): SequenceMark => ({ term, sequence: 0xffff_ffff })

/**
 * Starts everything and the store. Resolves when the store is in; serving begins as soon as the authority's node has
 * an address. Rejects when keys, registry or audit cannot be read: nothing is made up in their place; and where the
 * authority has moved away (AuthorityMoved, MoveUnfinished).
 */
export async function startAuthority(options: AuthorityOptions, signal: AbortSignal): Promise<Authority> {
  const { store, files, transport, clock, random, log } = options
  const ending = new AbortController()
  const running = AbortSignal.any([signal, ending.signal])

  refuseMoved(markInRecords(store.records))
  const keys = await loadOrCreateKeys({
    files: files.sub('keys'),
    random,
    clock,
    // New keys for a state that holds facts would be obeyed by no node.
    mayCreate: store.records.list('').length === 0,
  })
  if (keys.operatorSecretPresent) log.warn({}, OPERATOR_ADVICE)
  const { meshId, authorityId, signing, command, formerSigning, meshEpochMs } = keys.keys
  const registry = await openRegistry({ files, clock, random, signing, formerSigning })
  const documents = await readDocuments(files.sub('keys'))
  await takeOffice(files, store.records, registry, ownReplacement(documents, keys.keys))
  const audit = auditTo({
    log: options.auditLog ?? (await openSegmentedLog(files, AUDIT_FILE)),
    ...{ clock, logger: log },
  })
  const brake = options.brake ?? fileBrake({ files, clock })
  await brake.read()
  brake.watch(running)
  const metrics = options.metrics ? promMetrics(options.metrics) : noMetrics

  const fleet = lateFleet(() => brake.last().set)
  const commands = lateCommands()
  const allocator = createAllocator({
    records: store.records,
    clock,
    random,
    ceiling: (node) => ceiling(node),
    seen: (node) => ({
      unheard: readRestore(store.records)?.unheard.includes(node) ?? false,
      archives: fleet.view(node).report?.archives ?? [],
    }),
  })
  let otherCommandKey: Rotation['otherCommandKey'] = () => undefined
  const roster = rosterOf({
    registry,
    allocator,
    nodeOf: (name) => {
      const node = store.get('Node', name)
      return node && { uid: node.metadata.uid, hub: node.spec.role === 'hub' }
    },
    otherCommandKey: (node) => otherCommandKey(node),
  })
  const rotation = createRotation({
    ...{ clock, log, registry, fleet, commands, audit, records: store.records },
    bundles: { state: (node) => publisher.state(node), retry: (node) => publisher.retry(node) },
    uidOf: (node) => store.get('Node', node)?.metadata.uid,
    nodes: () => roster.all(),
    changed: (node) => roster.refresh(node),
  })
  otherCommandKey = rotation.otherCommandKey
  roster.refresh()
  const downlink = () => serving?.downlink()
  const ceiling = (node: string): SequenceMark =>
    downlink()?.commands.ceiling(node) ?? endOfReign(serving?.lastTerm() ?? recordedTerm(store.records))
  const publisher = createPublisher({
    clock,
    log,
    records: store.records,
    fleet,
    registry,
    keys: keys.keys,
    reign: {
      term: () => downlink()?.reign.term() ?? recordedTerm(store.records),
      silence: (node) => (downlink() ? downlink()?.reign.silence(node) : 'NotServing'),
      noteSent: (node) => downlink()?.reign.noteSent(node),
    },
    push: syncPusher(
      transport,
      () => place()?.address ?? '',
      () => documents,
    ),
    broadcastApply: (revision) =>
      downlink()?.commands.broadcastApply(revision) ?? Promise.resolve({ sent: [], held: [] }),
    unreached: (content) => places.unreached(content),
    ceiling,
    guard: () => brake.guard(),
    audit,
    lastConnected: lastConnected(store.records),
    versions: options.versions?.bundle,
  })

  await resumeRestore(files, store.records, registry, publisher.revision())

  const manager = createManager({
    keep: options.keepRun,
    clock,
    log,
    random01: () => Buffer.from(random(4)).readUInt32BE() / 2 ** 32,
    metrics: options.metrics && promRuntimeMetrics(options.metrics, ['mesh', 'node', 'pairing', 'pool', 'archive']),
  })
  const publicKeys = {
    id: authorityId,
    commandPublicKey: toBase64(command.publicKey),
    signingPublicKey: toBase64(signing.publicKey),
  }
  const door = joining(
    {
      ...options,
      ...{ brake, publisher, metrics, records: store.records, signingPublicKey: signing.publicKey },
      ports: () => effectiveMesh(world).spec.ports,
      changed: () => controllers.refresh('the pairing port'),
    },
    running,
  )
  const world: World = {
    clock,
    log,
    store,
    fleet,
    commands,
    bundles: publisher,
    allocator,
    registry,
    ceremonies: door.ceremonies,
    ...(options.pairingCodes && { pairingCodes: options.pairingCodes }),
    authority: {
      keys: () => [publicKeys],
      operatorKey: () => toBase64(keys.keys.operator.publicKey),
      meshEpochMs: () => meshEpochMs,
      term: () => downlink()?.reign.term() ?? recordedTerm(store.records),
      revision: () => publisher.revision(),
      brake: () => brake.last(),
    },
    events: auditedEvents(options.events, audit),
  }
  const controllers = buildControllers(world, manager.enqueue)
  for (const spec of controllers.specs) manager.add(spec)

  const places = placesOf(controllers, roster, options.node)
  const place = places.own
  const leaving = departures(store, registry, clock)
  let serving: Serving | undefined
  if (options.metrics)
    promFleetMetrics(options.metrics, {
      store,
      serving: () => serving?.downlink() !== undefined,
      registryBehind: () => registry.behind() !== undefined,
    })
  store.subscribe((event) => {
    if (event.type === 'health') manager.poke()
    if (event.type !== 'upsert' && event.type !== 'removed') return
    if (!PLACE_KINDS.has(event.object.kind)) return
    if (event.object.kind === 'Node') roster.refresh(event.object.metadata.name)
    serving?.look()
  })
  auditProblems(store, audit)
  roster.subscribe(() => serving?.look())
  fleet.subscribe((node) => {
    const head = fleet.view(node).report?.registryHead
    if (head) registry.observeHead(node, head)
  })

  controllers.wire(running)
  manager.start()
  await store.start(running)
  manager.poke()
  serving = startServing(
    {
      clock,
      log,
      place,
      missing: places.missing,
      downlink: {
        transport,
        clock,
        random,
        log,
        audit,
        brake,
        roster,
        metrics,
        meshId,
        authorityId,
        meshEpochMs,
        records: store.records,
        commandSecret: command.secretKey,
        listenMs: options.listenMs,
        authorityAddresses: places.all,
        versions: options.versions?.telemetry,
        async noteSever(node) {
          await leaving.remember(node, 'severed')
          controllers.world.wake(keyOf('Node', node), 'severed')
        },
        heardUnder: rotation.heardUnder,
        needsOnReceipt: (node, why) => publisher.needsOnReceipt(node, why),
        takeClaims: (node, claims, base) => takeClaims({ allocator, publisher, registry }, node, claims, base),
      },
      onChange(link, until) {
        fleet.attach(link?.fleet)
        commands.attach(link?.commands)
        if (link) {
          publisher.start(until)
          rotation.start(until)
          const { address = '' } = place() ?? {}
          tellNodes(
            {
              ...{ clock, log, transport, documents, from: address },
              syncPort: () => effectiveMesh(world).spec.ports.sync,
              nodes: () => (link.reign.phase() === 'Open' ? roster.all() : []),
              obeys: (node) => fleet.view(node).liveness === 'Fresh',
              guard: () => brake.guard(),
              onTold: (node) => audit.record('publication', { node, what: 'operator documents' }),
            },
            until,
          )
        }
        controllers.refresh(link ? 'the authority serves' : 'the authority serves no more')
      },
    },
    running,
  )

  door.open(running)

  return {
    controllers,
    manager,
    world,
    keys,
    registry,
    allocator,
    publisher,
    roster,
    rotation,
    brake,
    audit,
    serving,
    addresses: places.all,
    async leave(node) {
      const { commands: sender } = serving?.downlink() ?? {}
      if (!sender) throw new PpnError('NotServing', { why: serving?.reason() ?? 'just starting' })
      await leaving.remember(node, 'left')
      try {
        await sender.sever(node)
      } catch (error) {
        await leaving.forget(node)
        throw error
      }
    },
    async stop() {
      ending.abort(new Error('the authority stops'))
      await manager.stop()
      await audit.flush()
    },
  }
}
