// Something happens right after the n-th write to a disk: what came next in that process never did.
import type { Files } from '../../base/files.ts'

export interface WriteLimit {
  /** So many more writes. */
  set(writes: number): void
  wrote(): void
  /** `files`, every write and removal of which counts. */
  over(files: Files): Files
}

export function writeLimit(reached: () => void): WriteLimit {
  let left = Number.POSITIVE_INFINITY
  const wrote = () => {
    if (--left === 0) reached()
  }
  const counted =
    <T extends unknown[]>(write: (...given: T) => Promise<void>) =>
    async (...given: T) => {
      await write(...given)
      wrote()
    }
  const over = (files: Files): Files => ({
    ...files,
    write: counted(files.write),
    append: counted(files.append),
    remove: counted(files.remove),
    sub: (name) => over(files.sub(name)),
  })
  return {
    wrote,
    over,
    set(writes) {
      left = writes
    },
  }
}
