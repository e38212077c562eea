// What the node must remember besides its marks and bundles: one small record, rewritten whole.
import { z } from 'zod'
import type { Files } from '../../base/files.ts'
import type { Digest, Revision, Term } from '../../protocol/ids.ts'
import { heldBundle } from '../../protocol/telemetry/report.ts'
import { groupCommit } from './group-commit.ts'
import { openJson, sealJson } from './sealed-json.ts'
import { setAside } from './set-aside.ts'

const FILE = 'state'
/** Reverted contents remembered; older ones fall out, newest first. */
export const REFUSED_KEPT = 32

const u32 = z.int().min(0).max(0xffff_ffff)
const digest = z.string().regex(/^[0-9a-f]{64}$/) as unknown as z.ZodType<Digest>

const nodeState = z.strictObject({
  term: u32 as unknown as z.ZodType<Term>,
  told: z
    .strictObject({ term: u32 as unknown as z.ZodType<Term>, revision: u32 as unknown as z.ZodType<Revision> })
    .optional(),
  isolated: z.boolean(),
  severed: z.boolean(),
  /** The newest bundle that was gone back from. */
  reverted: heldBundle.optional(),
  /** Contents that were gone back from, newest first: refused. */
  refused: z.array(digest).max(REFUSED_KEPT),
  /**
   * The applied bundle has not proved itself yet. `base`: the content that last did, which is in the file `prev`;
   * `windows` counts the agent processes that gave it 60 s.
   */
  trial: z.strictObject({ base: digest, windows: z.int().min(1) }).optional(),
  /** The applied bundle was put back by a revert. */
  fromPrev: z.boolean(),
  /** Highest registry head seen. */
  registryHead: z.strictObject({ count: z.int().min(0), hash: digest }).optional(),
})
export type NodeStateRecord = z.output<typeof nodeState>

const FRESH: NodeStateRecord = { term: 0, isolated: false, severed: false, refused: [], fromPrev: false }

export interface NodeState {
  /** In memory; `update` resolves when it is also on disk. */
  get(): Readonly<NodeStateRecord>
  /** The term that would survive a power cut. */
  durableTerm(): Term
  /** Changes memory at once, and resolves when durable. Calls that come together share one write. */
  update(patch: Partial<NodeStateRecord>): Promise<void>
  /** The record could not be read at the start and was set aside. */
  lost: boolean
}

export async function openNodeState(files: Files): Promise<NodeState> {
  const bytes = await files.read(FILE)
  const read = bytes && openJson(bytes, nodeState)
  if (bytes && !read) await setAside(files, FILE, bytes)
  let state: NodeStateRecord = read ?? FRESH
  let durableTerm = state.term
  const disk = groupCommit(async () => {
    const writing = state
    await files.write(FILE, sealJson(writing))
    durableTerm = writing.term
  })
  return {
    get: () => state,
    durableTerm: () => durableTerm,
    update(patch) {
      state = { ...state, ...patch }
      return disk.commit()
    },
    lost: bytes !== undefined && !read,
  }
}
