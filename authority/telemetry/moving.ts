// What moves all the time is no news (law 6): nobody is told when only it has changed.
import type { NodeReport } from '../../protocol/telemetry/report.ts'

/** By field name, wherever it stands in a report. */
const MOVING: ReadonlySet<string> = new Set([
  'cpuTimeMs',
  'handshakeAgeSeconds',
  'remainingMs',
  'rxBytes',
  'txBytes',
  'wallClockMs',
])
/** Free memory is news when it moved by this much, or by this share. */
const MEMORY_STEP_MIB = 64
const MEMORY_STEP_SHARE = 0.05

/** Whether two reports say the same, apart from moving figures; of refusals only the reasons count. */
export function sameButMoving(a: NodeReport | undefined, b: NodeReport | undefined): boolean {
  if (!a || !b) return a === b
  return alike(a, b)
}

function alike(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b))
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => alike(item, b[i]))
  const [x, y] = [a as Record<string, unknown>, b as Record<string, unknown>]
  for (const name of Object.keys(x)) if (!MOVING.has(name) && !field(name, x[name], y[name])) return false
  return Object.keys(y).every((name) => name in x || MOVING.has(name) || y[name] === undefined)
}

function field(name: string, a: unknown, b: unknown): boolean {
  if (name === 'memoryFreeMiB' && typeof a === 'number' && typeof b === 'number')
    return Math.abs(a - b) < Math.max(1, Math.min(MEMORY_STEP_MIB, a * MEMORY_STEP_SHARE))
  if (name === 'refusals' && a && b) return alike(Object.keys(a).sort(), Object.keys(b).sort())
  return alike(a, b)
}
