/** What one durable write covers: everything asked for before it began. */
export interface GroupCommit {
  /** Resolves when a write that began after this call has succeeded; rejects when that write failed. */
  commit(): Promise<void>
}

interface Waiter {
  resolve(): void
  reject(error: unknown): void
}

/**
 * Many callers, one fsync: while a write is under way, further calls wait together for the next one, also calls that
 * `write` itself causes. It is never called while an earlier call of it is under way.
 */
export function groupCommit(write: () => Promise<void>): GroupCommit {
  let waiting: Waiter[] = []
  let running = false

  const run = async (): Promise<void> => {
    running = true
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      try {
        await write()
        for (const waiter of batch) waiter.resolve()
      } catch (error) {
        for (const waiter of batch) waiter.reject(error)
      }
    }
    running = false
  }
  return {
    commit: () =>
      new Promise((resolve, reject) => {
        waiting.push({ resolve, reject })
        if (!running) void run()
      }),
  }
}
