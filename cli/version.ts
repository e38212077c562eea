import { readFileSync } from 'node:fs'

/** The version in package.json, from a checkout as from an installed package. */
export function ppnVersion(): string {
  for (const up of ['../package.json', '../../package.json']) {
    try {
      const found = JSON.parse(readFileSync(new URL(up, import.meta.url), 'utf8')) as { name?: string; version: string }
      if (found.name === 'ppn') return found.version
    } catch {
      // Not here: one level further up, as seen from dist/.
    }
  }
  return 'unknown'
}
