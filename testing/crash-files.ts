import type { Files } from '../base/files.ts'

/**
 * `files` of a process that dies: its first `writes` changes become durable, the next one and all later ones fail.
 * Reading goes on. Hand the files underneath to the next process.
 */
export function crashFiles(files: Files, writes: number): Files {
  const left = { writes }
  const wrap = (inner: Files): Files => {
    const change = async (act: () => Promise<void>): Promise<void> => {
      if (left.writes <= 0) throw new Error('the process died here')
      left.writes--
      await act()
    }
    return {
      read: (name) => inner.read(name),
      list: () => inner.list(),
      write: (name, bytes) => change(() => inner.write(name, bytes)),
      remove: (name) => change(() => inner.remove(name)),
      append: (name, bytes) => change(() => inner.append(name, bytes)),
      sub: (name) => wrap(inner.sub(name)),
    }
  }
  return wrap(files)
}
