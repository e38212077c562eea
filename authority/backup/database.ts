import { mkdtemp, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/**
 * The bytes of a consistent copy of an SQLite database, also while another connection writes to it (VACUUM INTO, in
 * one read transaction). Undefined when there is no such file. The copy is made in a new folder (0700) below
 * `tempDir`, gone afterwards.
 */
export async function copyDatabase(file: string, tempDir: string): Promise<Uint8Array | undefined> {
  const folder = await mkdtemp(path.join(tempDir, 'ppn-backup-'))
  try {
    const copy = path.join(folder, 'copy.db')
    let source: DatabaseSync
    try {
      source = new DatabaseSync(file, { readOnly: true })
    } catch (error) {
      if ((error as { errcode?: number }).errcode === SQLITE_CANTOPEN) return undefined
      throw error
    }
    try {
      source.prepare('VACUUM INTO ?').run(copy)
    } finally {
      source.close()
    }
    return new Uint8Array(await readFile(copy))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** https://sqlite.org/rescode.html#cantopen */
const SQLITE_CANTOPEN = 14
