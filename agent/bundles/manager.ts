// Holds the three bundle files and moves between them: receive, stage, switch, commit, revert (section 7.2).
//
// Guarantees: a restart at any point finds a verified `applied`; `prev` is the last content that proved itself for
// as long as `applied` has not; a content gone back from is never taken again; floors rise before what needs them.
import type { Files } from '../../base/files.ts'
import type { Logger } from '../../base/log.ts'
import type { BundleContent } from '../../protocol/bundle/document.ts'
import type { BundleFault } from '../../protocol/bundle/seal.ts'
import type { BundleVersions } from '../../protocol/bundle/versions.ts'
import { compareRevision, type RevisionMark, type Term } from '../../protocol/ids.ts'
import type { OperatorDocument } from '../../protocol/operator/document.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'
import { type NodeState, REFUSED_KEPT } from '../durable/node-state.ts'
import { type Pins, savePins } from '../keys/pins.ts'
import type { Floor, MarkJournal } from '../marks/journal.ts'
import { serialQueue } from '../timing/serial.ts'
import { type BundleRefusal, isTold, judgeBundle } from './judge.ts'
import { type DocumentRefusal, judgeDocument } from './operator.ts'
import { type LoadedBundles, openBundle, type StoredBundle, underAuthority } from './store.ts'
import { TRIAL_WINDOWS, touchesConnection } from './trial.ts'

export type BundleOutcome =
  | { accepted: true; switched: boolean }
  | { accepted: false; reason: BundleRefusal | BundleFault }

export type DocumentOutcome = { taken: OperatorDocument } | { taken: undefined } | { refused: DocumentRefusal }

/** What the node lives by now. */
export interface InForce {
  bundle: StoredBundle
  /** `prev`: the applied bundle is lost, and its predecessor only keeps the tunnels up. */
  from: 'applied' | 'prev'
  /** May an archive be started for the first time? Not from a content that was put back. */
  mayStart: boolean
}

export interface Switch {
  before: StoredBundle | undefined
  after: StoredBundle
  /** The way to the authority changed: dial anew. */
  reconnect: boolean
}

export interface BundleManagerOptions {
  files: Files
  log: Logger
  pins: Pins
  state: NodeState
  marks: MarkJournal
  loaded: LoadedBundles
  /** Versions read; the built-in ones when absent. */
  versions?: BundleVersions
  /** Is there a telemetry connection now? */
  connected(): boolean
  /** The content in force changed; resolves when the drivers have been told. */
  onSwitch(change: Switch): Promise<void>
  /** The content in force has proved itself. */
  onCommit(): Promise<void>
}

export interface BundleManager {
  inForce(): InForce | undefined
  /** Verified, waiting for its APPLY. */
  staged(): StoredBundle | undefined
  /** What last proved itself before the content in force. */
  previous(): StoredBundle | undefined
  pins(): Pins
  report(): Pick<NodeReport, 'bundles' | 'bundleLost' | 'told'>
  /** Verifies and takes a bundle, in turn. `rejoin`: given as a file by a person, so it also ends a severing. */
  receive(raw: Uint8Array, options?: { rejoin?: boolean }): Promise<BundleOutcome>
  /**
   * Takes a document of the operator key, in turn; durable when resolved. `taken: undefined`: it is in force already.
   * After a new authority the way there is another: dial anew.
   */
  obeyOperator(raw: Uint8Array): Promise<DocumentOutcome>
  /** APPLY: durable when resolved, and the staged bundle switched if it is covered. */
  tell(mark: RevisionMark): Promise<void>
  /** The proven content to go back to, while the applied one is on trial. */
  trial(): { base: StoredBundle } | undefined
  commit(): Promise<void>
  revert(): Promise<void>
  /** At start: finishes what a crash cut short. */
  resume(): Promise<void>
}

/** Marks below these are void under this content. */
export function floorsOf(content: BundleContent): Floor[] {
  const archives = content.archives.map((a) => ({ slot: a.slot, ...a.minSequence }))
  return content.minSequence ? [{ slot: 0, ...content.minSequence }, ...archives] : archives
}

function trustedIn(content: BundleContent): Pins['trusted'] {
  return content.authorities.map((a) => ({ authorityId: a.id, signingPublicKey: a.signingPublicKey }))
}

function union(a: Pins['trusted'], b: Pins['trusted']): Pins['trusted'] {
  const extra = b.filter(
    (t) => !a.some((o) => o.authorityId === t.authorityId && o.signingPublicKey === t.signingPublicKey),
  )
  return [...a, ...extra]
}

export function createBundleManager(options: BundleManagerOptions): BundleManager {
  const { files, log, state, marks } = options
  const inTurn = serialQueue()
  let { applied, staged, prev, lost } = options.loaded
  let pins = options.pins

  const trust = async (trusted: Pins['trusted']): Promise<void> => {
    if (JSON.stringify(trusted) === JSON.stringify(pins.trusted)) return
    pins = { ...pins, trusted }
    await savePins(files, pins)
  }
  const inForce = (): InForce | undefined => {
    if (applied) return { bundle: applied, from: 'applied', mayStart: !state.get().fromPrev }
    return prev && { bundle: prev, from: 'prev', mayStart: false }
  }

  const switchTo = async (next: StoredBundle): Promise<void> => {
    const before = inForce()?.bundle
    const open = state.get().trial
    const reconnect = before !== undefined && touchesConnection(before.content, next.content)
    const onTrial =
      open ?? (applied && reconnect && options.connected() ? { base: applied.held.digest, windows: 1 } : undefined)
    await marks.raiseFloors(floorsOf(next.content))
    await trust(union(trustedIn(next.content), onTrial && before ? trustedIn(before.content) : []))
    if (onTrial) await state.update({ trial: { ...onTrial, windows: 1 } })
    if (applied && !open) {
      await files.write('prev', applied.raw)
      prev = applied
    }
    await files.write('applied', next.raw)
    applied = next
    lost = false
    if (staged && compareRevision(staged.held, next.held) <= 0) {
      await files.remove('staged')
      staged = undefined
    }
    if (state.get().fromPrev) await state.update({ fromPrev: false })
    log.info({ term: next.held.term, revision: next.held.revision, trial: onTrial !== undefined }, 'bundle applied')
    await options.onSwitch({ before, after: next, reconnect })
  }

  const accept = async (raw: Uint8Array, rejoin: boolean): Promise<BundleOutcome> => {
    const opened = openBundle(raw, pins.trusted, options.versions)
    if (!opened.ok) return { accepted: false, reason: opened.reason }
    const { bundle } = opened
    const { document } = bundle.signed
    const own = state.get()
    const decision = judgeBundle(
      {
        meshId: pins.meshId,
        nodeId: pins.nodeId,
        enrolmentId: pins.enrolmentId,
        operatorKey: pins.operatorKey,
        term: own.term,
        refused: own.refused,
        ...(applied && { applied: applied.held }),
        ...(staged && { staged: staged.held }),
        ...(own.told && { told: own.told }),
      },
      {
        ...bundle.held,
        meshId: document.meshId,
        nodeId: document.nodeId,
        enrolmentId: document.enrolmentId,
        operatorKey: document.content.operatorKey,
        switch: document.switch,
      },
    )
    if (decision.do === 'refuse') return { accepted: false, reason: decision.reason }
    await raise(document.term)
    await sawRegistry(document.registryHead)
    if (rejoin && own.severed) await state.update({ severed: false })
    if (decision.do === 'refile') {
      await files.write('applied', raw)
      applied = bundle
      if (decision.dropStaged) {
        await files.remove('staged')
        staged = undefined
      }
      if (own.fromPrev) await state.update({ fromPrev: false })
      return { accepted: true, switched: false }
    }
    await files.write('staged', raw)
    staged = bundle
    if (decision.thenSwitch) await switchTo(bundle)
    return { accepted: true, switched: decision.thenSwitch }
  }

  const raise = async (term: Term): Promise<void> => {
    if (term > state.get().term) await state.update({ term })
  }
  const sawRegistry = async (head: { count: number; hash: string }): Promise<void> => {
    if (head.count > (state.get().registryHead?.count ?? -1)) await state.update({ registryHead: head })
  }

  /** The authority that the operator key named, where the bundles still name those before it. Repeatable. */
  const replaceAuthority = async (): Promise<void> => {
    const { replacement, trusted } = pins
    if (!replacement) return
    await raise(replacement.term)
    const isOld = ({ raw }: StoredBundle): boolean => !openBundle(raw, trusted, options.versions).ok
    // No APPLY of a new authority means what an old one staged.
    if (staged && isOld(staged)) {
      await files.remove('staged')
      staged = undefined
    }
    if (applied && isOld(applied)) applied = underAuthority(applied, replacement.authority)
    if (prev && isOld(prev)) prev = underAuthority(prev, replacement.authority)
  }
  const obey = async (raw: Uint8Array): Promise<DocumentOutcome> => {
    const verdict = judgeDocument(raw, { pins, term: state.get().term })
    if (verdict.do === 'refuse') return { refused: verdict.reason }
    if (verdict.do === 'nothing') return { taken: undefined }
    await savePins(files, verdict.pins)
    pins = verdict.pins
    if (verdict.document.type === 'authority') await replaceAuthority()
    log.warn({ type: verdict.document.type }, 'a document of the operator key was taken')
    return { taken: verdict.document }
  }

  const goBack = async (): Promise<void> => {
    const base = prev
    const left = applied
    if (!base || !left || !state.get().trial) return
    const refused = [left.held.digest, ...state.get().refused.filter((d) => d !== left.held.digest)]
    // Refused first, then the file: a crash in between is finished by `resume`.
    await state.update({ reverted: left.held, refused: refused.slice(0, REFUSED_KEPT), fromPrev: true })
    await files.write('applied', base.raw)
    applied = base
    await state.update({ trial: undefined })
    await trust(trustedIn(base.content))
    log.warn({ term: left.held.term, revision: left.held.revision }, 'bundle reverted: the authority was not reached')
    await options.onSwitch({ before: left, after: base, reconnect: true })
  }

  return {
    inForce,
    staged: () => staged,
    previous: () => prev,
    pins: () => pins,
    report: () => {
      const { told, reverted } = state.get()
      return {
        bundles: {
          ...(applied && { applied: applied.held }),
          ...(staged && { staged: staged.held }),
          ...(reverted && { reverted }),
        },
        bundleLost: lost,
        ...(told && { told }),
      }
    },
    receive: (raw, how = {}) => inTurn(() => accept(raw, how.rejoin ?? false)),
    obeyOperator: (raw) => inTurn(() => obey(raw)),
    tell: (mark) =>
      inTurn(async () => {
        const { told } = state.get()
        if (!told || compareRevision(mark, told) > 0) await state.update({ told: mark })
        if (staged && isTold(state.get().told, staged.held)) await switchTo(staged)
      }),
    trial: () => (state.get().trial && prev ? { base: prev } : undefined),
    commit: () =>
      inTurn(async () => {
        const { trial, reverted } = state.get()
        if (!trial || !applied) return
        const overtaken = reverted && compareRevision(applied.held, reverted) > 0
        await state.update({ trial: undefined, ...(overtaken && { reverted: undefined }) })
        await trust(trustedIn(applied.content))
        log.info({ revision: applied.held.revision }, 'bundle committed')
        await options.onCommit()
      }),
    revert: () => inTurn(goBack),
    resume: () =>
      inTurn(async () => {
        await replaceAuthority()
        const { trial, refused } = state.get()
        if (trial && (!applied || !prev || applied.held.digest === trial.base)) await state.update({ trial: undefined })
        else if (trial && (refused.includes(applied!.held.digest) || trial.windows >= TRIAL_WINDOWS)) await goBack()
        else if (trial) await state.update({ trial: { ...trial, windows: trial.windows + 1 } })
        if (staged && applied && compareRevision(staged.held, applied.held) <= 0) {
          await files.remove('staged')
          staged = undefined
        }
        const waiting = staged
        if (!waiting) return
        if (waiting.signed.document.switch === 'onReceipt' || isTold(state.get().told, waiting.held))
          await switchTo(waiting)
      }),
  }
}
