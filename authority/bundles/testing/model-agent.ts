// An agent as the publisher knows it: takes bundles by section 7.2 "Order", switches on APPLY, reports what it holds.

import type { BundleContent } from '../../../protocol/bundle/document.ts'
import { openSignedBundle, type TrustedAuthority } from '../../../protocol/bundle/seal.ts'
import { compareRevision, type Digest, type RevisionMark, type Term } from '../../../protocol/ids.ts'
import type { HeldBundle, NodeReport } from '../../../protocol/telemetry/report.ts'

interface Held extends HeldBundle {
  content: BundleContent
}

export interface ModelAgent {
  applied?: Held
  staged?: Held
  reverted?: HeldBundle
  told?: RevisionMark
  term: Term
  marksLost: boolean
  /** Contents it goes back from as soon as they are applied. */
  rejects: (content: BundleContent) => boolean
  refused: Set<Digest>
  receive(bytes: Uint8Array): void
  apply(mark: RevisionMark): void
  report(): NodeReport
}

export function modelAgent(trusted: TrustedAuthority, onChange: () => void): ModelAgent {
  const strip = (held: Held | undefined): HeldBundle | undefined =>
    held && { term: held.term, revision: held.revision, digest: held.digest }

  const agent: ModelAgent = {
    term: 0,
    marksLost: false,
    rejects: () => false,
    refused: new Set(),
    receive(bytes) {
      const opened = openSignedBundle(bytes, [trusted])
      if (!opened.ok) throw new Error(opened.reason)
      const { document, digest } = opened.bundle
      const { term, revision, content } = document
      if (term < agent.term) return
      agent.term = term
      const incoming: Held = { term, revision, digest, content }
      const { applied, staged, told } = agent
      if (applied && digest === applied.digest && compareRevision(incoming, applied) >= 0) {
        agent.applied = incoming
        if (staged && compareRevision(incoming, staged) > 0) agent.staged = undefined
        return onChange()
      }
      if (agent.refused.has(digest)) return
      const newest = staged ?? applied
      const order = newest ? compareRevision(incoming, newest) : 1
      if (order < 0 || (order === 0 && digest !== newest?.digest)) return
      agent.staged = incoming
      if (document.switch === 'onReceipt' || !applied || (told && compareRevision(incoming, told) <= 0))
        switchTo(incoming)
      onChange()
    },
    apply(mark) {
      if (mark.term < agent.term || agent.marksLost) return
      agent.term = mark.term
      if (!agent.told || compareRevision(mark, agent.told) > 0) agent.told = mark
      if (agent.staged && compareRevision(agent.staged, agent.told) <= 0) switchTo(agent.staged)
      onChange()
    },
    report: () => ({
      agentVersion: '0.1.0',
      reads: { bundle: [1], ops: [1, 2] },
      bundles: { applied: strip(agent.applied), staged: strip(agent.staged), reverted: agent.reverted },
      told: agent.told,
      marks: [],
      marksLost: agent.marksLost,
      bundleLost: false,
      clockSynchronised: true,
      wallClockMs: 0,
      isolated: false,
      peers: [],
      capacity: { memoryMiB: 4096, cpus: 2 },
      usage: { memoryFreeMiB: 2048, pressure: 'None' },
      pendingKeys: {},
      refusals: {},
      archives: [],
      releases: [],
      retainedDisks: [],
    }),
  }

  function switchTo(next: Held): void {
    agent.staged = undefined
    if (agent.rejects(next.content)) {
      agent.refused.add(next.digest)
      agent.reverted = strip(next)
      return
    }
    if (next.content.minSequence) agent.marksLost = false
    agent.applied = next
  }
  return agent
}
