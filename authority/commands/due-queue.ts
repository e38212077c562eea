/** A binary heap of values by time. What was pushed and is no longer wanted is the taker's to recognise. */
export interface DueQueue<T> {
  push(dueMs: number, value: T): void
  /** The earliest value, if it is due. */
  take(nowMs: number): { dueMs: number; value: T } | undefined
  nextMs(): number | undefined
}

export function dueQueue<T>(): DueQueue<T> {
  const heap: { dueMs: number; order: number; value: T }[] = []
  let order = 0
  const before = (a: number, b: number): boolean => {
    const [x, y] = [heap[a]!, heap[b]!]
    return x.dueMs < y.dueMs || (x.dueMs === y.dueMs && x.order < y.order)
  }
  const swap = (a: number, b: number): void => {
    const held = heap[a]!
    heap[a] = heap[b]!
    heap[b] = held
  }
  return {
    push(dueMs, value) {
      heap.push({ dueMs, order: order++, value })
      for (let at = heap.length - 1; at > 0; ) {
        const parent = (at - 1) >> 1
        if (!before(at, parent)) break
        swap(at, parent)
        at = parent
      }
    },
    take(nowMs) {
      const first = heap[0]
      if (!first || first.dueMs > nowMs) return undefined
      const last = heap.pop()!
      if (heap.length > 0) {
        heap[0] = last
        for (let at = 0; ; ) {
          const left = 2 * at + 1
          const right = left + 1
          let least = at
          if (left < heap.length && before(left, least)) least = left
          if (right < heap.length && before(right, least)) least = right
          if (least === at) break
          swap(at, least)
          at = least
        }
      }
      return { dueMs: first.dueMs, value: first.value }
    },
    nextMs: () => heap[0]?.dueMs,
  }
}
