// One record a slot, `slot/<node>/<n>`, holds the whole placement: whoever's test-and-set wrote it has the slot, and
// there is no second record that a crash could leave behind. A move claims the new slot before it releases the old
// one; a crash between leaves an archive with two, of which the later claim counts and the other is released.
import type { Clock } from '../../base/clock.ts'
import { type RandomBytes, randomId } from '../../base/random.ts'
import type { Allocator, Placement, SlotResult } from '../../controllers/ports/allocator.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'
import type { ArchiveId, FencingEpoch, SequenceMark, Slot } from '../../protocol/ids.ts'
import type { ArchiveReport } from '../../protocol/telemetry/report.ts'
import { above } from './above.ts'
import { contend } from './contend.ts'
import { epochs } from './epochs.ts'
import type { Serial } from './serial.ts'

/** Slot 0 is the node itself; the command's slot field is one byte. */
const HIGHEST_SLOT = 255

interface SlotFact {
  state: 'Held' | 'Released'
  /** Released by Orphan: its key may have it back. */
  orphaned: boolean
  /** Counts the slots one archive has had: of two held ones the higher is its own. */
  claim: number
  placement: Placement
}

/** What a node shows that our records may be too old to know: they may come from a backup. */
export type SeenOnNode = (node: string) => {
  /** Not heard since a restore: what it holds is not known. */
  unheard: boolean
  archives: readonly InheritedArchive[]
}
const nothingSeen: SeenOnNode = () => ({ unheard: false, archives: [] })

const PREFIX = 'slot/'
const keyOf = (node: string, slot: number): string => `${PREFIX}${node}/${slot}`

export type Slots = Pick<
  Allocator,
  'placement' | 'placementsOn' | 'place' | 'releasePlacement' | 'releasedSlots' | 'freeSlot' | 'takeOver' | 'nextEpoch'
> & {
  /**
   * Telemetry of `node` showed this epoch: no lower one is given from now on. A placement on that very node takes it
   * over; one on another node is older than a move and must not, or the archive would start twice (law 7).
   */
  observeEpoch(id: ArchiveId, epoch: FencingEpoch, node: string): Promise<void>
  /**
   * What a node showed before a restored or replaced authority gave it anything: an archive of these that is placed
   * there keeps its identity, also when the node has long been given a bundle without it. Durable.
   */
  inherit(node: string, archives: readonly InheritedArchive[]): Promise<void>
}

export type InheritedArchive = Pick<ArchiveReport, 'id' | 'slot' | 'namespace' | 'name' | 'fencingEpoch'>
const INHERITED = 'inherited/'

export function slots(options: {
  records: RecordStore
  clock: Clock
  random: RandomBytes
  serial: Serial
  ceiling: (node: string) => SequenceMark
  seen?: SeenOnNode
}): Slots {
  const { records, clock, random, serial, ceiling, seen = nothingSeen } = options
  const epoch = epochs(records)
  /** archive uid -> the record keys that may concern it. Complete while we are the only writer; dropped on Conflict. */
  let shortcut: Map<string, Set<string>> | undefined

  const read = (key: string) => {
    const record = records.get(key)
    return { version: record?.version ?? 0, value: record?.value as SlotFact | undefined }
  }

  function keysOf(uid: string): Iterable<string> {
    if (!shortcut) {
      shortcut = new Map()
      for (const record of records.list(PREFIX)) remember((record.value as SlotFact).placement.archiveUid, record.key)
    }
    return shortcut.get(uid) ?? []
  }

  function remember(uid: string, key: string): void {
    if (!shortcut) return
    const keys = shortcut.get(uid)
    if (keys) keys.add(key)
    else shortcut.set(uid, new Set([key]))
  }

  async function write(key: string, value: SlotFact, version: number): Promise<void> {
    remember(value.placement.archiveUid, key)
    await records.put(key, value, version)
  }

  /** The slots held under this uid, its own last. */
  const heldBy = (uid: string): SlotFact[] =>
    [...keysOf(uid)]
      .map((key) => read(key).value)
      .filter((fact): fact is SlotFact => fact?.state === 'Held' && fact.placement.archiveUid === uid)
      .sort((a, b) => a.claim - b.claim)

  const ownFact = (uid: string): SlotFact | undefined => heldBy(uid).at(-1)

  const isOwn = (fact: SlotFact): boolean => {
    const own = ownFact(fact.placement.archiveUid)?.placement
    return own?.node === fact.placement.node && own.slot === fact.placement.slot
  }

  function factsOn(node: string): SlotFact[] {
    const found = records.list(`${PREFIX}${node}/`).map((record) => record.value as SlotFact)
    return found.sort((a, b) => a.placement.slot - b.placement.slot)
  }

  /** What this archive key left behind: held under an earlier uid, or released by Orphan and still on its node. */
  const leftBehind = (key: string, node: string): SlotFact | undefined => {
    const facts = factsOn(node).filter((fact) => fact.placement.archiveKey === key)
    return facts.find((f) => f.state === 'Held' && isOwn(f)) ?? facts.find((f) => f.state === 'Released' && f.orphaned)
  }

  const inherited = (node: string) => (records.get(INHERITED + node)?.value ?? []) as readonly InheritedArchive[]
  const shownOn = (node: string) => [...seen(node).archives, ...inherited(node)]

  async function setInherited(node: string, archives: readonly InheritedArchive[]): Promise<void> {
    const record = records.get(INHERITED + node)
    if (archives.length > 0) await records.put(INHERITED + node, archives, record?.version ?? 0)
    else if (record) await records.delete(INHERITED + node, record.version)
  }

  /** Neither recorded nor seen in use. */
  function freeSlotOf(node: string): Slot | undefined {
    const used = new Set(shownOn(node).map(({ slot }) => slot))
    for (let slot = 1; slot <= HIGHEST_SLOT; slot++) if (!used.has(slot) && !records.get(keyOf(node, slot))) return slot
    return undefined
  }

  /**
   * This archive, on its node although no record of ours knows it (a restored or a replaced authority): it keeps its
   * identity and its slot.
   */
  const runningUnrecorded = (key: string, node: string) =>
    shownOn(node).find(
      ({ namespace, name, slot, id }) =>
        `Archive/${namespace}/${name}` === key && !records.get(keyOf(node, slot)) && !userOf(id),
    )

  async function releaseOthers(uid: string): Promise<void> {
    const held = heldBy(uid)
    for (const fact of held.slice(0, -1)) await release(fact, false)
  }

  async function release(fact: SlotFact, orphaned: boolean): Promise<void> {
    const key = keyOf(fact.placement.node, fact.placement.slot)
    await write(key, { ...fact, state: 'Released', orphaned }, read(key).version)
  }

  /** Takes over a record as it is, under the caller's uid and figures; nothing is written when nothing differs. */
  async function keep(fact: SlotFact, archive: Parameters<Allocator['place']>[0]): Promise<SlotResult> {
    const { uid: archiveUid, key: archiveKey, floorMiB, maxMiB } = archive
    const placement: Placement = { ...fact.placement, archiveUid, archiveKey, floorMiB, maxMiB }
    const before = fact.placement
    const same =
      fact.state === 'Held' &&
      before.archiveUid === archiveUid &&
      before.archiveKey === archiveKey &&
      before.floorMiB === floorMiB &&
      before.maxMiB === maxMiB
    if (!same) {
      const key = keyOf(before.node, before.slot)
      await write(key, { ...fact, state: 'Held', orphaned: false, placement }, read(key).version)
    }
    await releaseOthers(archiveUid)
    return { ok: true, placement }
  }

  /** Two archives must never be one identity (law 7): a disk is adopted only when no slot names it any more. */
  const userOf = (id: ArchiveId): SlotFact | undefined =>
    records
      .list(PREFIX)
      .map((record) => record.value as SlotFact)
      .find((fact) => fact.placement.id === id)

  async function place(archive: Parameters<Allocator['place']>[0]): Promise<SlotResult> {
    const { uid, key, node, floorMiB, maxMiB, adoptDisk } = archive
    const own = ownFact(uid)
    if (own?.placement.node === node) return keep(own, archive)
    const left = own ? undefined : leftBehind(key, node)
    if (left) return keep(left, archive)

    const user = !own && adoptDisk !== undefined ? userOf(adoptDisk) : undefined
    if (user) {
      const { archiveKey, node: at, slot } = user.placement
      const message = `disk ${adoptDisk} is that of ${archiveKey}, slot ${slot} of ${at}`
      return { ok: false, reason: 'DiskInUse', message }
    }
    if (seen(node).unheard) {
      const message = `${node} has not been heard since the restore: which slots it uses is not known`
      return { ok: false, reason: 'RestoreUnheard', message }
    }
    const running = own || adoptDisk !== undefined ? undefined : runningUnrecorded(key, node)
    const slot = running?.slot ?? freeSlotOf(node)
    if (slot === undefined)
      return { ok: false, reason: 'SlotsExhausted', message: `all ${HIGHEST_SLOT} slots of ${node} are taken` }

    const id: ArchiveId = own?.placement.id ?? adoptDisk ?? running?.id ?? randomId(random)
    // A retained disk was given up under its last epoch, which its node never starts again.
    const adopts = !own && adoptDisk !== undefined
    const claimed = adopts ? await epoch.raise(id, 0) : await epoch.claim(id)
    const fencingEpoch = Math.max(claimed, own?.placement.fencingEpoch ?? 0, running?.fencingEpoch ?? 0)
    const placement: Placement = {
      archiveUid: uid,
      archiveKey: key,
      id,
      node,
      slot,
      fencingEpoch,
      minSequence: above(ceiling(node)),
      floorMiB,
      maxMiB,
      admittedMs: own?.placement.admittedMs ?? clock.now(),
    }
    const fact: SlotFact = { state: 'Held', orphaned: false, claim: (own?.claim ?? 0) + 1, placement }
    await write(keyOf(node, slot), fact, 0)
    if (running)
      await setInherited(
        node,
        inherited(node).filter((one) => one.id !== id),
      )
    await releaseOthers(uid)
    return { ok: true, placement }
  }

  async function takeOver(uid: string, { node, slot, fencingEpoch }: Parameters<Allocator['takeOver']>[1]) {
    const own = ownFact(uid)
    if (!own) throw new TypeError(`archive ${uid} has no place`)
    if (own.placement.node !== node) {
      await epoch.observe(own.placement.id, fencingEpoch)
      const placement = { ...own.placement, node, slot, fencingEpoch, minSequence: above(ceiling(node)) }
      await write(keyOf(node, slot), { state: 'Held', orphaned: false, claim: own.claim + 1, placement }, 0)
    }
    await releaseOthers(uid)
  }

  /** Epoch record first: a crash between skips an epoch, never gives one twice. */
  async function setEpoch(uid: string, next: FencingEpoch): Promise<void> {
    const own = ownFact(uid)
    if (!own || own.placement.fencingEpoch >= next) return
    const key = keyOf(own.placement.node, own.placement.slot)
    await write(key, { ...own, placement: { ...own.placement, fencingEpoch: next } }, read(key).version)
  }

  const retried = <T>(work: () => Promise<T>) =>
    serial(() =>
      contend(work, () => {
        shortcut = undefined
      }),
    )

  return {
    placement: (uid) => ownFact(uid)?.placement,
    placementsOn: (node) =>
      factsOn(node)
        .filter((fact) => fact.state === 'Held' && isOwn(fact))
        .map((fact) => fact.placement),
    place: (archive) => retried(() => place(archive)),
    releasePlacement: (uid, how) =>
      retried(async () => {
        for (const fact of heldBy(uid)) await release(fact, how?.orphaned ?? false)
      }),
    releasedSlots: (node) =>
      factsOn(node)
        .filter((fact) => !isOwn(fact))
        .map(({ placement: { slot, archiveUid, id } }) => ({ slot, archiveUid, id })),
    freeSlot: (node, slot) =>
      retried(async () => {
        const { value, version } = read(keyOf(node, slot))
        if (value && !isOwn(value)) await records.delete(keyOf(node, slot), version)
      }),
    takeOver: (uid, found) => retried(() => takeOver(uid, found)),
    nextEpoch: (uid) =>
      retried(async () => {
        const own = ownFact(uid)
        if (!own) throw new TypeError(`archive ${uid} has no place`)
        const next = await epoch.raise(own.placement.id, own.placement.fencingEpoch)
        await setEpoch(uid, next)
        return next
      }),
    inherit: (node, archives) =>
      retried(async () => {
        const known = inherited(node)
        const more = archives.filter(({ id }) => !userOf(id) && !known.some((one) => one.id === id))
        if (more.length > 0) await setInherited(node, [...known, ...more])
      }),
    observeEpoch: (id, seen, node) =>
      retried(async () => {
        await epoch.observe(id, seen)
        const user = userOf(id)
        if (user?.placement.node === node) await setEpoch(user.placement.archiveUid, seen)
      }),
  }
}
