// What a verb said, and virtual time that goes on until it has said something or is done.
import type { VirtualClock } from '../../testing/virtual-clock.ts'

/** Of real time: a verb that says nothing for so long says nothing any more. */
const WITHIN_MS = 20_000
const STEP_MS = 50

export interface Said {
  out: string
  err: string
}

/** The two streams of an Io, kept. */
export const recording = (said: Said) => ({
  out: (text: string) => {
    said.out += text
  },
  err: (text: string) => {
    said.err += text
  },
})

/** Time goes on until the person has read this. */
export async function untilSaid(clock: VirtualClock, said: Said, text: string): Promise<void> {
  const deadline = Date.now() + WITHIN_MS
  while (!(said.err + said.out).includes(text)) {
    if (Date.now() > deadline) throw new Error(`never said "${text}":\n${said.err}${said.out}`)
    await clock.advance(STEP_MS)
  }
}

/** Time goes on until the verb has ended. */
export async function ending(clock: VirtualClock, result: Promise<number>): Promise<number> {
  let over = false
  const settled = result.finally(() => {
    over = true
  })
  settled.catch(() => {})
  while (!over) await clock.advance(STEP_MS)
  return settled
}
