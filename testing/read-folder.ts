// The objects of a fleet folder, for tests that run on the folder a person deploys.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'

/** Every document of every .yaml and .yml file below `folder`, in the order of their paths. Throws what YAML finds wrong. */
export function readFolder(folder: string): unknown[] {
  const hidden = (path: string) => path.split('/').some((part) => part.startsWith('.'))
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.ya?ml$/.test(path) && !hidden(path))
    .sort()
    .flatMap((path) =>
      [...parseAllDocuments(readFileSync(join(folder, path), 'utf8'))].map((document) => {
        const [error] = document.errors
        if (error) throw new Error(`${path}: ${error.message}`)
        return document.toJS() as unknown
      }),
    )
    .filter((object) => object !== null)
}
