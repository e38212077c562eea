// Section 8: liveness from the age of the last handshake, with keepalive 25. Driver and path report judge alike.

/** A living path makes a new handshake every 120 s; beyond this one is overdue. */
const UP_SECONDS = 150
/** Beyond this the session carries nothing. */
const DOWN_SECONDS = 180

export type Liveness = 'never' | 'up' | 'suspect' | 'down'

export function livenessOf(ageSeconds: number | undefined): Liveness {
  if (ageSeconds === undefined) return 'never'
  if (ageSeconds < UP_SECONDS) return 'up'
  return ageSeconds < DOWN_SECONDS ? 'suspect' : 'down'
}
