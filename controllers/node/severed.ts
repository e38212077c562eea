// A node that a person took off the mesh: `severed/<node uid>`, written before the first SEVER goes out. When that has
// had its lead the enrolment ends, so that every peer entry goes; what came of it the hubs' telemetry shows (law 2).
//   left     it went in good order: its keys may be enrolled again, once a person says so
//   severed  it is in the wrong hands: its keys are refused for good, under every name
import type { Enrolment } from '../ports/registry.ts'
import type { RecordStore } from '../ports/store.ts'

export type Departure = 'left' | 'severed'

export interface Severed {
  atMs: number
  how: Departure
  /** The enrolment that ends; a later one of the same name is another machine, or the same let in again. */
  enrolmentId: string
}

export const severedRecord = (uid: string): string => `severed/${uid}`

export function severedFact(records: RecordStore, uid: string): Severed | undefined {
  return records.get(severedRecord(uid))?.value as Severed | undefined
}

/** Durable when resolved. What is recorded of the same enrolment stays. */
export async function rememberSevered(records: RecordStore, uid: string, fact: Severed): Promise<void> {
  const before = records.get(severedRecord(uid))
  if ((before?.value as Severed | undefined)?.enrolmentId === fact.enrolmentId) return
  await records.put(severedRecord(uid), fact, before?.version ?? 0)
}

/** The enrolment that is about to end; undefined: it has ended, or none was to. */
export function endingEnrolment(fact: Severed | undefined, enrolment: Enrolment | undefined): Enrolment | undefined {
  return fact && enrolment?.enrolmentId === fact.enrolmentId ? enrolment : undefined
}
