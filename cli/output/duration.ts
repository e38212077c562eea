// Ages as kubectl prints them (k8s.io/apimachinery/pkg/util/duration, HumanDuration): never more than two units.

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const two = (big: number, bigUnit: string, small: number, smallUnit: string) =>
  small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit}${small}${smallUnit}`

/** `12s`, `3m20s`, `15m`, `5h30m`, `36h`, `3d`, `2y40d`. Negative spans read as 0s. */
export function humanDuration(ms: number): string {
  const span = Math.max(0, ms)
  const seconds = Math.floor(span / SECOND)
  if (seconds < 60 * 2) return `${seconds}s`
  const minutes = Math.floor(span / MINUTE)
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's')
  if (minutes < 60 * 3) return `${minutes}m`
  const hours = Math.floor(span / HOUR)
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.floor(span / DAY)
  if (days < 8) return two(days, 'd', hours % 24, 'h')
  if (days < 365 * 2) return `${days}d`
  return two(Math.floor(days / 365), 'y', days % 365, 'd')
}
