// After `ppn restore` our own state is known to be old: what a node reports above it is taken, until that node has
// been heard (section 7.6). Never lowered, and no node can lift a counter far: it may be lying.
import type { RecordStore } from '../../controllers/ports/store.ts'
import type { ArchiveId, FencingEpoch, Revision, Term } from '../../protocol/ids.ts'
import type { NodeReport } from '../../protocol/telemetry/report.ts'
import type { InheritedArchive } from '../allocation/slots.ts'

const RESTORE_RECORD = 'restore'
/** How far above the restored state one node may lift a counter. */
export const RESTORE_REACH = 2 ** 20

/** Value of the record `restore`; absent: not restoring. */
export interface RestoreState {
  /** The counters as they were in the backup. */
  base: { term: Term; revision: Revision }
  /** Nodes not heard since the restore. */
  unheard: readonly string[]
}

/** What a report says of the counters that a backup may be behind of. */
export interface Claims {
  term: Term
  revision: Revision
  epochs: readonly { archive: ArchiveId; fencingEpoch: FencingEpoch }[]
  registryHead?: { count: number; hash: string }
  archives?: readonly InheritedArchive[]
}

export function claimsOf(frameTerm: Term, report: Partial<NodeReport>): Claims {
  const held = [report.bundles?.applied, report.bundles?.staged, report.bundles?.reverted, report.told].filter(
    (mark) => mark !== undefined,
  )
  return {
    term: Math.max(frameTerm, ...held.map((mark) => mark.term)),
    revision: Math.max(0, ...held.map((mark) => mark.revision)),
    epochs: [
      ...(report.archives ?? []).map(({ id, fencingEpoch }) => ({ archive: id, fencingEpoch })),
      ...(report.releases ?? []).map(({ archive, fencingEpoch }) => ({ archive, fencingEpoch })),
    ],
    ...(report.registryHead && { registryHead: report.registryHead }),
    ...(report.archives && {
      archives: report.archives.map(({ id, slot, namespace, name, fencingEpoch }) => {
        return { id, slot, namespace, name, fencingEpoch }
      }),
    }),
  }
}

/** `base` is the restored value, not the present one, so that two nodes together reach no farther than one. */
export function withinReach(base: number, claimed: number): boolean {
  return claimed <= base + RESTORE_REACH
}

/** The counter after a node's claim: never below `ours`; a claim out of reach is not taken at all. */
export function takeHigher(ours: number, base: number, claimed: number): number {
  return withinReach(base, claimed) ? Math.max(ours, claimed) : ours
}

export function readRestore(records: Pick<RecordStore, 'get'>): RestoreState | undefined {
  return records.get(RESTORE_RECORD)?.value as RestoreState | undefined
}

/** Marks the state as restored: until each of `nodes` was heard, its claims are taken. */
export async function beginRestore(
  records: Pick<RecordStore, 'get' | 'put'>,
  base: RestoreState['base'],
  nodes: readonly string[],
): Promise<void> {
  const value: RestoreState = { base, unheard: [...nodes].sort() }
  await records.put(RESTORE_RECORD, value, records.get(RESTORE_RECORD)?.version ?? 0)
}

/** A node was heard: its claims are taken no more. The record goes with the last one. */
export async function endRestoreOf(records: Pick<RecordStore, 'get' | 'put' | 'delete'>, node: string): Promise<void> {
  const record = records.get(RESTORE_RECORD)
  if (!record) return
  const state = record.value as RestoreState
  const unheard = state.unheard.filter((name) => name !== node)
  if (unheard.length === 0) await records.delete(RESTORE_RECORD, record.version)
  else await records.put(RESTORE_RECORD, { ...state, unheard } satisfies RestoreState, record.version)
}
