// Which parts of a bundle differ, by the names a person knows them by.
import { isDeepStrictEqual } from 'node:util'
import type { WantedContent } from '../../controllers/ports/bundles.ts'

interface Named {
  name: string
  namespace?: string
}

const label = ({ name, namespace }: Named) => (namespace === undefined ? name : `${namespace}/${name}`)

/** `+a -b ~c`: came, went, changed. */
function entries(before: readonly Named[], after: readonly Named[]): string[] {
  const old = new Map(before.map((entry) => [label(entry), entry]))
  const now = new Map(after.map((entry) => [label(entry), entry]))
  const came = after.filter((entry) => !old.has(label(entry))).map((entry) => `+${label(entry)}`)
  const went = before.filter((entry) => !now.has(label(entry))).map((entry) => `-${label(entry)}`)
  const changed = after
    .filter((entry) => old.has(label(entry)) && !isDeepStrictEqual(old.get(label(entry)), entry))
    .map((entry) => `~${label(entry)}`)
  return [...came, ...went, ...changed]
}

/** `peers +edge-3; pool`; empty when nothing differs. */
export function bundleChange(before: WantedContent, after: WantedContent): string {
  const parts: string[] = []
  for (const field of Object.keys(after) as (keyof WantedContent)[]) {
    if (isDeepStrictEqual(before[field], after[field])) continue
    if (field === 'peers' || field === 'archives') {
      // The same entries in another order are another bundle as well.
      parts.push([field, ...entries(before[field], after[field])].join(' '))
    } else parts.push(field)
  }
  return parts.join('; ')
}
