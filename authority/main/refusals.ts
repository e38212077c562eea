// Every refusal is a line of the audit log (section 9): verdicts and warnings about objects, once each as they become news,
// and faults of the source as they appear. Silence is no refusal.
import { keyOf } from '../../api/meta.ts'
import { READINESS } from '../../api/readiness/index.ts'
import type { SourceProblem, Store } from '../../controllers/ports/store.ts'
import type { EventRecorder } from '../../controllers/ports/world.ts'
import type { Audit } from '../audit.ts'

/** Reasons of an object that is not seen, or told to look away. */
const unseen = (): ReadonlySet<string> =>
  new Set(
    Object.values(READINESS)
      .flatMap((table) => table.rows)
      .flatMap((row) => (row.verdict === 'Unknown' ? row.reason : [])),
  )

/** Records what `events` records, and refusals in the audit log as well. */
export function auditedEvents(events: EventRecorder, audit: Pick<Audit, 'record'>): EventRecorder {
  const notSeen = unseen()
  return {
    record(object, type, reason, message) {
      events.record(object, type, reason, message)
      if (type !== 'Warning' || notSeen.has(reason)) return
      const key = keyOf(object.kind as Parameters<typeof keyOf>[0], object.name, object.namespace)
      audit.record('refusal', { key, generation: object.generation, reason, message })
    },
  }
}

/** A fault of the source is told when it appears, and again when it comes back. Returns how to stop. */
export function auditProblems(store: Pick<Store, 'subscribe'>, audit: Pick<Audit, 'record'>): () => void {
  let told = new Set<string>()
  return store.subscribe((event) => {
    if (event.type !== 'health') return
    const errors = event.health.problems.filter(({ severity }) => severity === 'error')
    for (const { code, message, file, line } of errors) {
      if (!told.has(idOf({ code, message, file }))) audit.record('refusal', { code, message, file, line })
    }
    told = new Set(errors.map(idOf))
  })
}

/** The same fault a line further down is the same. */
function idOf({ code, message, file }: Pick<SourceProblem, 'code' | 'message' | 'file'>): string {
  return JSON.stringify([code, message, file])
}
