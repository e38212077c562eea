import type { AdminHealth, AdminHold } from '../../authority/admin/backend.ts'
import type { AdminClient } from '../../authority/admin/client.ts'
import type { Io } from '../io.ts'
import { problemText } from './problems.ts'

/** What a person must know of a running authority before its objects: why what they say may not be what is done. */
export function healthNotices(health: Pick<AdminHealth, 'brake' | 'superseded' | 'store'>): string[] {
  const { brake, superseded, store } = health
  return [
    brake.set ? `braked: ${brake.reason ?? 'no reason given'}; nothing is sent` : '',
    superseded ? 'superseded: nodes obey a newer authority; nothing is sent (see docs/security.md)' : '',
    store.unreadable ? `the folder cannot be read, everything is held: ${store.unreadable}` : '',
    store.watching === 'polling' ? `polling for changes: ${store.watchingReason ?? ''}` : '',
  ].filter((notice) => notice !== '')
}

/** One short line, however many are held: each object says itself how to let it go on. */
export function holdsNotice(holds: readonly Pick<AdminHold, 'key'>[]): string[] {
  return holds.length === 0 ? [] : [`held: ${holds.length}, for a person to decide: ppn holds`]
}

/** On standard error, after an answer: what is wrong with the folder, since its objects stand at their last good state. */
export async function tellNotices(io: Io, client: Pick<AdminClient, 'health' | 'version'>): Promise<void> {
  const [health, { fleet }] = await Promise.all([client.health(), client.version()])
  for (const notice of healthNotices(health)) io.err(`${notice}\n`)
  for (const problem of health.store.problems) io.err(problemText(io, problem, fleet))
}
