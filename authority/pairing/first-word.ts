// A connection that has said nothing yet. There may be hundreds, of strangers: no key, no state machine, a timer each.
import type { Clock } from '../../base/clock.ts'
import type { Connection } from '../../base/transport.ts'
import { GATE } from './gate.ts'

export interface Silence {
  /** It said something; whoever takes this listens from now on. */
  spoke(first: Uint8Array): void
  /** It is gone without a word, or was too slow. */
  ended(why: 'TooSlow' | 'HungUp'): void
}

/** Exactly one of the two is called, once. `end` sends it away. */
export function firstWord(
  connection: Connection,
  clock: Clock,
  silence: Silence,
): { end(why: 'TooSlow' | 'HungUp'): void } {
  const { stream } = connection
  const settle = (): void => {
    deadline.cancel()
    stream.off('data', onData)
    stream.off('end', onGone)
    stream.off('close', onGone)
  }
  const end = (why: 'TooSlow' | 'HungUp'): void => {
    settle()
    connection.destroy()
    silence.ended(why)
  }
  const onData = (first: Uint8Array): void => {
    settle()
    silence.spoke(first)
  }
  const onGone = () => end('HungUp')
  const deadline = clock.after(GATE.handshakeMs, () => end('TooSlow'))
  stream.on('data', onData)
  stream.on('end', onGone)
  stream.on('close', onGone)
  return { end }
}
