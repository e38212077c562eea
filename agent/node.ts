// An enrolled node at work: wires receiver, bundles, tunnel, archives and telemetry around the durable state.
// Everything here ends with the signal; tunnels and VMs stay as they are.
import type { Connection } from '../base/transport.ts'
import { OP } from '../protocol/command/ops.ts'
import type { ArchiveId, Digest } from '../protocol/ids.ts'
import { toBase64 } from '../protocol/keys.ts'
import { OPERATOR_LIMIT } from '../protocol/operator/document.ts'
import { signRelease } from '../protocol/release.ts'
import type { SyncFrame } from '../protocol/sync/frame.ts'
import type { NodeReport } from '../protocol/telemetry/report.ts'
import { telemetryVersionFor, WIRE_VERSIONS } from '../protocol/versions.ts'
import type { AgentOptions } from './agent.ts'
import { forbidden } from './apply/allowed.ts'
import { createApplier } from './apply/applier.ts'
import { createArchiveManager } from './apply/archives/manager.ts'
import { isAlive } from './apply/archives/view.ts'
import { runBalloonLoop } from './apply/balloon/loop.ts'
import { createObserver } from './apply/observer.ts'
import { IMPORTED } from './bundles/import.ts'
import { IMPORTED_DOCUMENT } from './bundles/import-document.ts'
import { type BundleManager, type BundleOutcome, createBundleManager } from './bundles/manager.ts'
import type { DocumentRefusal } from './bundles/operator.ts'
import { loadBundles } from './bundles/store.ts'
import { watchTrials } from './bundles/trial-watch.ts'
import type { NodeState } from './durable/node-state.ts'
import { openFence } from './fence/fence.ts'
import { sidecarsIn } from './fence/sidecar.ts'
import { type AgentKeys, makePendingKey, promotePendingKey } from './keys/agent-keys.ts'
import { createKeyring, type Keyring } from './keys/keyring.ts'
import type { Pins } from './keys/pins.ts'
import { openMarks } from './marks/journal.ts'
import { createNetwork } from './network.ts'
import { createReceiver } from './receiver/receiver.ts'
import { refusalCounters } from './receiver/refusals.ts'
import { buildReport } from './report.ts'
import { createTelemetrySource, FULL_EVERY_MS } from './telemetry/source.ts'
import { createDiskReceiver, type DiskReceiver } from './transfer/disk-receiver.ts'
import { createDiskSender } from './transfer/disk-sender.ts'
import { createSyncReceiver, TransferRefused, type TransferSink } from './transfer/receiver.ts'
import { isUnanswered } from './tunnel/carrier.ts'
import { keepTunnel } from './tunnel/keeper.ts'
import { bringsKeys } from './tunnel/key-change.ts'
import { watchSilence } from './tunnel/silence.ts'

/** Refusals alone are told at most this often: an attacker shall not make us talk. */
const REFUSALS_WITHIN_MS = 1_000
/** Slightly ahead of the 10 s snapshot, so that it carries fresh figures. */
const OBSERVE_EVERY_MS = FULL_EVERY_MS - 500

export interface EnrolledNode {
  report(): NodeReport
  /** Takes an imported bundle, if one waits. */
  takeImport(): Promise<BundleOutcome | undefined>
  /** Resolves when sockets are closed. */
  closed(): Promise<void>
}

export async function startNode(
  options: AgentOptions & { bootId: string },
  pins: Pins,
  firstKeys: AgentKeys,
  state: NodeState,
  signal: AbortSignal,
): Promise<EnrolledNode> {
  const { files, transport, clock, random, log, drivers, versions = WIRE_VERSIONS } = options
  const loaded = await loadBundles(files, pins.trusted, versions.bundle, pins)
  const marks = await openMarks(files, loaded.applied?.content.minSequence)
  const fence = await openFence(files)
  const overridden = (id: ArchiveId) => bundles.pins().overrides?.find((one) => one.archive === id)?.fencingEpoch
  const disks = { image: drivers.image, sidecars: sidecarsIn(files), fence, overridden }
  if (state.lost) await rebuildState()
  let keys = firstKeys
  let keyring: Keyring | undefined

  const touch = () => telemetry.touch()
  const refusals = refusalCounters(() => telemetry.touch(REFUSALS_WITHIN_MS))
  const content = () => bundles.inForce()?.bundle.content
  const active = () => (state.get().severed ? undefined : content())

  const observer = createObserver({
    drivers,
    silence: watchSilence(clock),
    log,
    interfaceName: () => content()?.interface.name,
    changed: touch,
  })
  const report = (): NodeReport =>
    buildReport({
      version: options.version,
      reads: { bundle: [...versions.bundle.keys()], ops: [...versions.ops] },
      nowMs: clock.now(),
      observed: observer.get(),
      keys,
      content: content(),
      held: bundles.report(),
      registryHead: state.get().registryHead,
      marks: marks.durable(),
      marksLost: marks.lost(),
      isolated: state.get().isolated,
      refusals: refusals.all(),
      archives: archives.reports().map((a) => ({ ...a, ...ofTransfer(diskReceiver, a.id) })),
      releases: fence.releases().map((release) => ({
        ...release,
        signature: signRelease({ ...release, meshId: pins.meshId, nodeId: pins.nodeId }, keys.signing.secretKey),
        ...withRoot(diskSender.root(release.archive)),
      })),
      retainedDisks: archives.retained(),
    })
  const telemetry = createTelemetrySource(
    {
      ...{ transport, clock, random, log, bootId: options.bootId, term: () => state.get().term, report },
      versions: versions.telemetry,
      version: () => telemetryVersionFor(bundles.inForce()?.bundle.signed.version ?? 0, versions.telemetry),
    },
    signal,
  )
  const bundles: BundleManager = createBundleManager({
    files,
    log,
    pins,
    state,
    marks,
    loaded,
    versions: versions.bundle,
    connected: () => telemetry.connectedTo() !== undefined,
    onCommit: () => promoteWireGuardKey(),
    async onSwitch({ reconnect }) {
      await promoteWireGuardKey()
      const connections = telemetry.connections()
      await up({ redial: reconnect })
      await trials.begin(connections)
      void archives.converge().catch((error) => log.warn({ err: String(error) }, 'the archives could not be looked at'))
    },
  })
  const trials = watchTrials(
    {
      clock,
      log,
      bundles,
      connections: telemetry.connections,
      tunnel: async () => {
        await observer.tunnel()
        return observer.get().tunnel
      },
    },
    signal,
  )
  const tunnel = keepTunnel({
    clock,
    log,
    driver: drivers.wireguard,
    wishes: () => {
      const wanted = active()
      if (!wanted) return undefined
      const [staged, before] = [bundles.staged()?.content, bundles.previous()?.content]
      const more = { ...(staged && { staged }), ...(before && { before }) }
      return { content: wanted, keys: keysFor(wanted), isolated: state.get().isolated, ...more }
    },
    changed: () => void observer.tunnel(),
  })
  const archives = createArchiveManager(
    { clock, random, log, drivers, disks, observer, marks, inForce: bundles.inForce, changed: touch },
    signal,
  )
  const applier = createApplier(
    {
      clock,
      log,
      marks,
      changed: touch,
      acts: {
        async reportAll() {
          await Promise.all([observer.vms(), observer.tunnel(), observer.host()])
          telemetry.full()
        },
        tell: bundles.tell,
        revisions: () => {
          const { bundles: held, told } = bundles.report()
          return [held.applied, held.staged, told].flatMap((b) => (b ? [b.revision] : []))
        },
        async isolate(on) {
          if (state.get().isolated !== on) await state.update({ isolated: on })
          await tunnel.apply()
          await observer.tunnel()
        },
        async rekey(use) {
          keys = await makePendingKey(files, keys, use, random)
          useKeys()
          touch()
        },
        async sever() {
          if (!state.get().severed) await state.update({ severed: true })
          await up({})
        },
        obey: archives.obey,
      },
    },
    signal,
  )
  const receiver = createReceiver({
    clock,
    log,
    refusals,
    marks,
    term: {
      current: () => state.get().term,
      durable: state.durableTerm,
      raise: (term) => state.update({ term: Math.max(term, state.get().term) }),
    },
    clockSynchronised: () => observer.get().clockSynchronised,
    forbidden: (command) => forbidden(command, bundles.inForce()),
    onGenuine(from, { term, pendingKey }) {
      if (pendingKey) void takePendingCommandKey()
      if (term > state.get().term || telemetry.reportsTo() !== from) telemetry.prefer(from)
    },
    onCommand: applier.apply,
  })
  const applied = () => (bundles.inForce()?.from === 'applied' ? active() : undefined)
  const alive = (id: ArchiveId) => isAlive(observer.get().vms.get(id))
  const diskReceiver = createDiskReceiver({
    disks,
    archives: () => applied()?.archives ?? [],
    alive,
    ready: (id) => void archives.look(id),
    changed: touch,
  })
  const diskSender = createDiskSender({ transport, clock, log, disks, content: applied, alive, changed: touch }, signal)
  /** An authority may sit beside the agent that pushes a disk: the frame says which of the two it is. */
  const sinkFor = (address: string): TransferSink => {
    const authority = active()?.authorities.some((a) => a.addresses.includes(address)) ?? false
    const disk = diskReceiver.sinkFor(address)
    const other: TransferSink['take'] = authority
      ? (frame) => (frame.type === 'bundle' || !disk ? takeBundle(frame) : disk.take(frame))
      : (frame) => disk?.take(frame) ?? Promise.reject(new TransferRefused('SyncSource'))
    return {
      // From a stranger only what the operator key has signed is read.
      ...(!authority && !disk && { limit: OPERATOR_LIMIT + 1 }),
      take: (frame) => (frame.type === 'operator' ? takeDocument(frame.document, authority) : other(frame)),
      cut: async () => disk?.cut(),
    }
  }
  const sync = createSyncReceiver({ clock, refusals, sinkFor })
  const network = createNetwork(
    {
      transport,
      clock,
      log,
      onPacket: receiver.receive,
      onConnection: (connection: Connection) => sync.accept(connection),
    },
    signal,
  )

  /** Brings sockets, interface and telemetry to the bundle in force, or takes them away when severed. */
  async function up({ redial = false }: { redial?: boolean }): Promise<void> {
    const wanted = active()
    if (!wanted) {
      receiver.use(undefined)
      telemetry.use(undefined)
      sync.closeAll()
      diskSender.converge()
      await network.use(undefined)
      const name = content()?.interface.name
      if (state.get().severed && name !== undefined) await drivers.wireguard.remove(name)
      return
    }
    useKeys()
    diskSender.converge()
    await tunnel.apply()
    await observer.tunnel()
    const { address } = wanted.node
    await network.use({ address, commandPort: wanted.mesh.ports.command, syncPort: wanted.mesh.ports.sync })
    const authorities = wanted.authorities.flatMap((a) => a.addresses.map((to) => ({ id: a.id, address: to })))
    const key: Keyring['telemetryKey'] = (authority, term) => keyring?.telemetryKey(authority, term)
    telemetry.use({ from: address, port: wanted.mesh.ports.telemetry, authorities, key }, { redial })
    touch()
  }

  function useKeys(): void {
    const wanted = active()
    if (!wanted) return
    const { meshId, nodeId, enrolmentId } = pins
    keyring = createKeyring({ meshId, nodeId, enrolmentId, authorities: wanted.authorities, keys })
    receiver.use({
      target: Number(wanted.node.address.split('.')[3]),
      addresses: new Set(wanted.authorities.flatMap((a) => a.addresses)),
      meshEpochMs: wanted.meshEpochMs,
      keyring,
    })
  }

  /** The bundle names the WireGuard key to use; while its switch is on trial the pending one is only lent. */
  function keysFor(wanted: NonNullable<ReturnType<typeof content>>): AgentKeys {
    const { wireguard } = keys.pending
    if (!wireguard || toBase64(wireguard.publicKey) !== wanted.interface.publicKey) return keys
    return { ...keys, wireguard }
  }
  async function promoteWireGuardKey(): Promise<void> {
    const wanted = content()
    if (!wanted || bundles.trial() || keysFor(wanted) === keys) return
    keys = await promotePendingKey(files, keys, 'wireguard')
  }
  async function takePendingCommandKey(): Promise<void> {
    keys = await promotePendingKey(files, keys, 'command')
    useKeys()
    telemetry.full()
  }

  async function takeBundle(frame: SyncFrame): Promise<void> {
    if (frame.type !== 'bundle') throw new TransferRefused('SyncSource')
    const outcome = await bundles.receive(new Uint8Array(frame.bundle))
    if (!outcome.accepted) throw new TransferRefused(outcome.reason)
    // Its new keys are let in before this node is seen to hold it, hence before anybody switches.
    const [staged, now] = [bundles.staged()?.content, active()]
    if (staged && now && bringsKeys(staged, now)) await tunnel.apply()
    touch()
  }

  /** An authority pushes all it has, also what this node has outlived; a stranger gets one chance a connection. */
  async function takeDocument(bytes: Uint8Array, authority: boolean): Promise<void> {
    const reason = await obeyOperator(bytes)
    if (reason !== undefined && !authority) throw new TransferRefused(reason)
    if (reason !== undefined && reason !== 'OperatorReplayed') refusals.count(reason)
  }

  /** Why the document is refused; undefined: it is in force. */
  async function obeyOperator(bytes: Uint8Array): Promise<DocumentRefusal | undefined> {
    const outcome = await bundles.obeyOperator(new Uint8Array(bytes))
    if ('refused' in outcome) return outcome.refused
    if (outcome.taken?.type === 'authority') await up({ redial: true })
    if (outcome.taken?.type === 'override') await archives.look(outcome.taken.archive)
    if (outcome.taken) touch()
    return undefined
  }

  /** The record was lost: what marks and bundles still prove is taken from them. */
  async function rebuildState(): Promise<void> {
    const known = marks.durable()
    const isolation = known.find((m) => m.op === OP.ISOLATE)
    const term = Math.max(loaded.applied?.held.term ?? 0, loaded.staged?.held.term ?? 0, ...known.map((m) => m.term))
    await state.update({ term: Math.max(term, state.get().term), isolated: isolation?.value === 1 })
  }

  async function takeImport(): Promise<BundleOutcome | undefined> {
    const document = await files.read(IMPORTED_DOCUMENT)
    if (document) {
      const reason = await obeyOperator(document)
      if (reason !== undefined) refusals.count(reason)
      await files.remove(IMPORTED_DOCUMENT)
    }
    const raw = await files.read(IMPORTED)
    if (!raw) return undefined
    const wasSevered = state.get().severed
    const outcome = await bundles.receive(raw, { rejoin: true })
    if (!outcome.accepted) {
      refusals.count(outcome.reason)
      log.warn({ reason: outcome.reason }, 'the imported bundle is refused')
    } else if (wasSevered && !outcome.switched) await up({})
    await files.remove(IMPORTED)
    return outcome
  }

  const observe = () => {
    void Promise.all([observer.vms(), observer.tunnel(), observer.host()]).then(() => {
      // TCP waits ever longer between its attempts (RFC 6298), so that a path which is back would lie unused for minutes.
      if (isUnanswered(observer.get(), telemetry.connectedTo())) telemetry.redial('nobody answers on this path')
    })
    beat = clock.after(OBSERVE_EVERY_MS, observe)
  }
  let beat = clock.after(OBSERVE_EVERY_MS, observe)
  const unsubscribe = drivers.wireguard.onChange(() => {
    if (!signal.aborted) void observer.tunnel()
  })
  signal.addEventListener(
    'abort',
    () => {
      beat.cancel()
      unsubscribe()
      tunnel.stop()
    },
    { once: true },
  )

  await Promise.all([observer.vms(), observer.host(), observer.tunnel()])
  await up({})
  await bundles.resume()
  await trials.begin(0)
  await archives.converge()
  runBalloonLoop(
    {
      clock,
      log,
      drivers,
      observer,
      content: () => (bundles.inForce()?.from === 'applied' ? content() : undefined),
      weight: (slot) => marks.get(OP.WEIGHT, slot)?.value,
      changed: touch,
    },
    signal,
  )
  applier.resume()

  return {
    report,
    takeImport,
    closed: async () => {
      sync.closeAll()
      await network.use(undefined)
    },
  }
}

const withRoot = (chunkListRoot: Digest | undefined) => chunkListRoot && { chunkListRoot }
const ofTransfer = (receiver: DiskReceiver, id: ArchiveId) => {
  const [receiving, failure] = [receiver.progress(id), receiver.failure(id)]
  return {
    ...(receiving && { receiving }),
    ...(failure && { errorCode: failure.code, errorMessage: failure.message.slice(0, 256) }),
  }
}
