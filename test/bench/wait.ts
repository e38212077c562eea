import type { BenchAuthority, Figures } from './authority.ts'

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Asks the authority again and again; the figures in which `done` came true. */
export async function until(
  authority: BenchAuthority,
  done: (figures: Figures) => boolean,
  { everyMs = 20, withinMs = 60_000 } = {},
): Promise<Figures> {
  for (let waitedMs = 0; waitedMs < withinMs; waitedMs += everyMs) {
    const figures = await authority.figures()
    if (done(figures)) return figures
    await pause(everyMs)
  }
  throw new Error(`not within ${withinMs} ms: ${JSON.stringify(await authority.figures())}`)
}
