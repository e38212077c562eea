/** What one durable write covers: everything asked for before it began. */
export interface GroupCommit {
  /** Resolves when a write that began after this call has succeeded; rejects when that write failed. */
  commit(): Promise<void>
}

/**
 * Many callers, one fsync: while a write is under way, further calls wait together for the next one. `write` is
 * called with no other call of it under way.
 */
export function groupCommit(write: () => Promise<void>): GroupCommit {
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined

  const start = (): Promise<void> => {
    const mine = write().finally(() => {
      if (running === mine) running = undefined
    })
    running = mine
    return mine
  }
  return {
    commit() {
      if (!running) return start()
      next ??= running
        .catch(() => {})
        .then(() => {
          next = undefined
          return start()
        })
      return next
    },
  }
}
