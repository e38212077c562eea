import { createHash } from 'node:crypto'
import type { Files } from '../../base/files.ts'

/**
 * Keeps the bytes of an unreadable file under `<name>.corrupt-<digest>` and takes the file itself away, in this
 * order, so that a person can look at it later. Doing it again with the same bytes adds nothing.
 */
export async function setAside(files: Files, name: string, bytes: Uint8Array): Promise<string> {
  const aside = `${name}.corrupt-${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`
  await files.write(aside, bytes)
  await files.remove(name)
  return aside
}

/** Was a file of this name ever set aside? */
export async function wasSetAside(files: Files, name: string): Promise<boolean> {
  return (await files.list()).some((f) => f.startsWith(`${name}.corrupt-`))
}
