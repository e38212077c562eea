import type { Files } from '../base/files.ts'

export interface MemoryFiles extends Files {
  /** Every file by its full path: what a crash leaves behind. */
  dump(): Map<string, Uint8Array>
  /** From now on every write and append fails with this error, until called with undefined. */
  failWrites(error: Error | undefined): void
}

/** `Files` in memory; durable at once. Hand `store` from one instance to the next to model a restart. */
export function memoryFiles(store: Map<string, Uint8Array> = new Map(), prefix = ''): MemoryFiles {
  const state: { failure: Error | undefined } = { failure: undefined }
  const make = (at: string): MemoryFiles => ({
    read: async (name) => {
      const bytes = store.get(at + name)
      return bytes && new Uint8Array(bytes)
    },
    write: async (name, bytes) => {
      if (state.failure) throw state.failure
      store.set(at + name, new Uint8Array(bytes))
    },
    remove: async (name) => {
      if (state.failure) throw state.failure
      store.delete(at + name)
    },
    list: async () =>
      [...store.keys()]
        .filter((k) => k.startsWith(at) && !k.slice(at.length).includes('/'))
        .map((k) => k.slice(at.length))
        .sort(),
    sub: (name) => make(`${at}${name}/`),
    append: async (name, bytes) => {
      if (state.failure) throw state.failure
      store.set(at + name, Buffer.concat([store.get(at + name) ?? new Uint8Array(), bytes]))
    },
    dump: () => new Map(store),
    failWrites: (error) => {
      state.failure = error
    },
  })
  return make(prefix)
}
