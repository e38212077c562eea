// `ppn validate DIR`: what a folder says, without any state.

import type { AnyObject } from '../../api/v1alpha1/index.ts'
import type { Clock } from '../../base/clock.ts'
import type { SourceProblem } from '../../controllers/ports/store.ts'
import { judge } from '../common/lifecycle.ts'
import { problemOf } from '../common/problem.ts'
import { born } from '../common/stored.ts'
import { type FolderFs, localFs } from './fs.ts'
import { folderReader, type ReadOutcome } from './reader.ts'
import { RETRY_MS } from './source.ts'

/** Readings of a folder that is being changed before it is given up. */
const ATTEMPTS = 8

export interface Validation {
  /** As a fresh authority would accept them; uids are empty. */
  objects: AnyObject[]
  /** In the order of files; errors and warnings. */
  problems: readonly SourceProblem[]
}

/** Reads a folder once. Never throws for what is in it: an unreadable folder is one problem and no objects. */
export async function validateFolder(root: string, clock: Clock, fs: FolderFs = localFs()): Promise<Validation> {
  const reader = folderReader(root, fs, clock)
  let outcome: ReadOutcome = await reader.read()
  for (let i = 1; i < ATTEMPTS && outcome.type === 'unsettled'; i++) {
    await clock.sleep(RETRY_MS)
    outcome = await reader.read()
  }
  if (outcome.type === 'unsettled' || outcome.type === 'unreadable') {
    const code = outcome.type === 'unsettled' ? 'FolderUnsettled' : 'FolderUnreadable'
    return { objects: [], problems: [problemOf(code, { path: root, why: outcome.why })] }
  }
  const { changes, problems } = judge(new Map(), outcome.snapshot)
  const stamp = { nowMs: clock.now(), resourceVersion: 0, newUid: () => '' }
  const objects = changes.flatMap((change) =>
    change.do === 'create' ? [born(change.definition.draft, 'source', change.definition.file, stamp).object] : [],
  )
  return { objects, problems: [...outcome.snapshot.problems, ...problems] }
}
