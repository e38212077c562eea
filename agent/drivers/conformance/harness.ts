// What the suites here share. A suite is a function of a name and a way to make the driver under test; the simulated
// drivers and the real ones pass the same suites, which is what makes the simulated ones worth believing.

/** Time of the driver under test: virtual time is moved on, real time is waited for. */
export type Pass = (ms: number) => Promise<void>

/** Lets time pass until `check` holds; fails, naming what was last seen, when it does not within `withinMs`. */
export async function eventually<T>(
  pass: Pass,
  withinMs: number,
  look: () => Promise<T>,
  check: (seen: T) => boolean,
): Promise<T> {
  const stepMs = Math.max(50, withinMs / 200)
  for (let waitedMs = 0; ; waitedMs += stepMs) {
    const seen = await look()
    if (check(seen)) return seen
    if (waitedMs > withinMs) throw new Error(`not within ${withinMs} ms; last seen: ${JSON.stringify(seen)}`)
    await pass(stepMs)
  }
}
