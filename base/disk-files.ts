import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { PpnError } from './errors.ts'
import type { Files } from './files.ts'

/** A file half written at a crash; the next write of that name uses it up. */
const UNFINISHED = /^\..+\.new$/

function segment(name: string): string {
  if (name === '' || name.startsWith('.') || /[/\\\0]/.test(name)) throw new PpnError('BadFileName', { name })
  return name
}

const absent = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'

async function syncFolder(dir: string): Promise<void> {
  const handle = await open(dir, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes the folder and those above it, 0700, each entry durable. */
async function makeFolder(dir: string): Promise<void> {
  const first = await mkdir(dir, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let at = dir; ; at = path.dirname(at)) {
    await syncFolder(path.dirname(at))
    if (at === first) return
  }
}

async function putBytes(file: string, flags: 'w' | 'a', bytes: Uint8Array): Promise<void> {
  const handle = await open(file, flags, 0o600)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * `Files` in a folder of a disk; the folder is made when first written to. Changes of one file through one instance
 * (and its `sub`s) take effect in the order of the calls. One process at a time: hold a lock around it.
 */
export function diskFiles(dir: string): Files {
  return inFolder(path.resolve(dir), new Map())
}

function inFolder(dir: string, tails: Map<string, Promise<unknown>>): Files {
  /** Runs `job` after the changes already begun on the same file. */
  const inTurn = <T>(file: string, job: () => Promise<T>): Promise<T> => {
    const run = (tails.get(file) ?? Promise.resolve()).then(job, job)
    tails.set(file, run)
    const done = () => {
      if (tails.get(file) === run) tails.delete(file)
    }
    run.then(done, done)
    return run
  }
  const at = (name: string) => path.join(dir, segment(name))

  return {
    async read(name) {
      try {
        return new Uint8Array(await readFile(at(name)))
      } catch (error) {
        if (absent(error)) return undefined
        throw error
      }
    },
    async write(name, bytes) {
      const file = at(name)
      const unfinished = path.join(dir, `.${name}.new`)
      await inTurn(file, async () => {
        await makeFolder(dir)
        await putBytes(unfinished, 'w', bytes)
        await rename(unfinished, file)
        await syncFolder(dir)
      })
    },
    async remove(name) {
      const file = at(name)
      await inTurn(file, async () => {
        try {
          await rm(file)
        } catch (error) {
          if (absent(error)) return
          throw error
        }
        await syncFolder(dir)
      })
    },
    async list() {
      try {
        const entries = await readdir(dir, { withFileTypes: true })
        return entries
          .filter((entry) => entry.isFile() && !UNFINISHED.test(entry.name))
          .map((entry) => entry.name)
          .sort()
      } catch (error) {
        if (absent(error)) return []
        throw error
      }
    },
    sub: (name) => inFolder(at(name), tails),
    async append(name, bytes) {
      const file = at(name)
      await inTurn(file, async () => {
        await makeFolder(dir)
        await putBytes(file, 'a', bytes)
        // The first append made the entry; syncing the folder every time would double the cost of a log line.
        await syncFolder(dir)
      })
    },
  }
}
