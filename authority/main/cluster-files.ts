// The folder of an authority that has none: its keys are a mounted Secret, its registry are objects that nobody changes,
// and each small document that comes and goes is a record.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PpnError } from '../../base/errors.ts'
import type { Files } from '../../base/files.ts'
import type { RecordStore } from '../../controllers/ports/store.ts'
import type { RegistryLines } from '../../stores/kube/registry-lines.ts'
import { REGISTRY_FILE } from '../registry/registry.ts'
import { FILE_RECORDS, readFileRecord, removeFileRecord, writeFileRecord } from './file-records.ts'

/** A mounted Secret: links to files, which the kubelet replaces together. Everything but reading throws KeysReadOnly. */
export function mountedFiles(folder: string): Files {
  const refuse = (name: string) => Promise.reject(new PpnError('KeysReadOnly', { name }))
  return {
    async read(name) {
      try {
        return new Uint8Array(await readFile(join(folder, name)))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw error
      }
    },
    write: refuse,
    remove: refuse,
    append: refuse,
    // `..data` and the folder it points to are the kubelet's.
    list: async () => (await readdir(folder).catch(() => [])).filter((name) => !name.startsWith('.')).sort(),
    sub: (name) => mountedFiles(join(folder, name)),
  }
}

export interface ClusterFilesOptions {
  records: RecordStore
  registry: RegistryLines
  keys: Files
  /** The registry could not be appended to, and what it holds now is not what this process thinks: it has to end. */
  onRegistryLost(error: unknown): void
}

/** What `startAuthority` asks of a state folder. The audit and the brake have places of their own. */
export function clusterFiles({ records, registry, keys, onRegistryLost }: ClusterFilesOptions): Files {
  const notHere = (name: string) => Promise.reject(new PpnError('BadFileName', { name }))
  return {
    async read(name) {
      return name === REGISTRY_FILE ? registry.read() : readFileRecord(records, name)
    },
    async write(name, bytes) {
      if (name === REGISTRY_FILE) return notHere(name)
      await writeFileRecord(records, name, bytes)
    },
    async remove(name) {
      if (name === REGISTRY_FILE) return notHere(name)
      await removeFileRecord(records, name)
    },
    async append(name, bytes) {
      if (name !== REGISTRY_FILE) return notHere(name)
      try {
        await registry.append(bytes)
      } catch (error) {
        onRegistryLost(error)
        throw error
      }
    },
    list: async () => [REGISTRY_FILE, ...records.list(FILE_RECORDS).map(({ key }) => key.slice(FILE_RECORDS.length))],
    sub: (name) => {
      if (name !== 'keys') throw new PpnError('BadFileName', { name })
      return keys
    },
  }
}
