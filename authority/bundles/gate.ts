/** Lets at most `limit` holders in at once, the others in the order in which they came. */
export interface Gate {
  /** Resolves with the call that lets the next one in. */
  enter(): Promise<() => void>
}

export function gate(limit: number): Gate {
  const waiting: (() => void)[] = []
  let inside = 0
  const leave = (): void => {
    const next = waiting.shift()
    if (next) next()
    else inside--
  }
  return {
    async enter() {
      if (inside < limit) inside++
      else await new Promise<void>((resolve) => waiting.push(resolve))
      return leave
    },
  }
}
