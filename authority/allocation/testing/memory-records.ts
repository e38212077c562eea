import { PpnError } from '../../../base/errors.ts'
import type { RecordStore, StoredRecord } from '../../../controllers/ports/store.ts'

export interface MemoryRecords extends RecordStore {
  /** Runs before each write; a throw is a crash before it, and the write does not happen. */
  onWrite(hook: (key: string) => void | Promise<void>): void
}

/** Durable facts in memory. Hand `facts` from one instance to the next to model a restart or a second writer. */
export function memoryRecords(facts: Map<string, StoredRecord> = new Map()): MemoryRecords {
  let hook: (key: string) => void | Promise<void> = () => {}
  const check = (key: string, expected: number): void => {
    if ((facts.get(key)?.version ?? 0) !== expected) throw new PpnError('Conflict', { key })
  }
  return {
    get: (key) => facts.get(key),
    list: (prefix) =>
      [...facts.values()].filter((r) => r.key.startsWith(prefix)).sort((a, b) => (a.key < b.key ? -1 : 1)),
    async put(key, value, expected) {
      await hook(key)
      check(key, expected)
      const record = { key, value: structuredClone(value), version: expected + 1 }
      facts.set(key, record)
      return record
    },
    async delete(key, expected) {
      await hook(key)
      check(key, expected)
      facts.delete(key)
    },
    onWrite: (next) => {
      hook = next
    },
  }
}
