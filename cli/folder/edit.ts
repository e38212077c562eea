// Changes to the person's own files, asked for with --write: one object at a time, comments and order kept.
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type Document, isMap, parseAllDocuments, stringify, type YAMLMap } from 'yaml'
import type { Kind } from '../../api/meta.ts'
import { NAMES } from '../../api/names.ts'
import { DEFAULT_NAMESPACE } from '../../api/parse.ts'
import { NAMESPACED } from '../../api/v1alpha1/index.ts'
import { CliError, EXIT } from '../exit.ts'

export interface ObjectName {
  kind: Kind
  name: string
  namespace?: string
}

interface Place {
  file: string
  documents: Document.Parsed[]
  index: number
}

const SEPARATOR = '---\n'

async function yamlFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true })
  return entries
    .filter((e) => /\.(ya?ml|json)$/.test(e) && !e.split('/').some((part) => part.startsWith('.')))
    .sort()
    .map((e) => join(folder, e))
}

function isObject(plain: unknown, wanted: ObjectName): boolean {
  const o = plain as { kind?: string; metadata?: { name?: string; namespace?: string } } | null
  return (
    o?.kind === wanted.kind &&
    o.metadata?.name === wanted.name &&
    (!NAMESPACED[wanted.kind] ||
      (o.metadata.namespace ?? DEFAULT_NAMESPACE) === (wanted.namespace ?? DEFAULT_NAMESPACE))
  )
}

const itemsOf = (plain: unknown): unknown[] => {
  const { kind, items } = (plain ?? {}) as { kind?: unknown; items?: unknown }
  return kind === 'List' && Array.isArray(items) ? items : []
}

async function find(folder: string, wanted: ObjectName): Promise<Place | undefined> {
  for (const file of await yamlFiles(folder)) {
    const documents = parseAllDocuments(await readFile(file, 'utf8')) as Document.Parsed[]
    const index = documents.findIndex((d) => d.errors.length === 0 && isObject(d.toJS(), wanted))
    if (index >= 0) return { file, documents, index }
    const listed = documents.some((d) => d.errors.length === 0 && itemsOf(d.toJS()).some((i) => isObject(i, wanted)))
    if (listed)
      throw new CliError(EXIT.failed, `${file} declares ${wanted.kind} ${wanted.name} inside a List`, 'edit it there')
  }
  return undefined
}

/** Whole or not at all: a reader of the folder never sees half a file. A name with a dot in front is not read. */
async function replaceFile(file: string, text: string): Promise<void> {
  const next = join(dirname(file), `.${process.pid}.ppn-write`)
  await writeFile(next, text)
  await rename(next, file)
}

const join_ = (documents: readonly Document.Parsed[]) =>
  documents.map((d) => d.toString({ lineWidth: 0, directives: false })).join(SEPARATOR)

/** Brings `map` to `value`, touching only what differs. */
function merge(map: YAMLMap, value: Record<string, unknown>, document: Document.Parsed): void {
  const before = map.toJS(document) as Record<string, unknown>
  for (const key of Object.keys(before)) if (!(key in value)) map.delete(key)
  for (const [key, next] of Object.entries(value)) {
    if (isDeepStrictEqual(before[key], next)) continue
    const child = map.get(key)
    if (isMap(child) && typeof next === 'object' && next !== null && !Array.isArray(next))
      merge(child as YAMLMap, next as Record<string, unknown>, document)
    else if (map.has(key) && typeof next !== 'object') document.setIn([...pathOf(document, map), key], next)
    else map.set(key, document.createNode(next))
  }
}

/** Where a map stands in its document. */
function pathOf(document: Document.Parsed, wanted: YAMLMap): string[] {
  const search = (at: YAMLMap, path: string[]): string[] | undefined => {
    if (at === wanted) return path
    for (const pair of at.items) {
      const key = String((pair.key as { value?: unknown })?.value ?? pair.key)
      const found = isMap(pair.value) ? search(pair.value as YAMLMap, [...path, key]) : undefined
      if (found) return found
    }
    return undefined
  }
  return (isMap(document.contents) && search(document.contents as YAMLMap, [])) || []
}

export interface Edit {
  file: string
  did: 'created' | 'configured' | 'unchanged' | 'deleted'
}

/** Writes an object into the folder: into the document that declares it, else into a file of its own. */
export async function writeObject(folder: string, object: ObjectName, plain: Record<string, unknown>): Promise<Edit> {
  const place = await find(folder, object)
  if (!place) {
    const file = join(
      folder,
      NAMES[object.kind].plural,
      `${object.namespace ? `${object.namespace}-` : ''}${object.name}.yaml`,
    )
    await mkdir(dirname(file), { recursive: true })
    await replaceFile(file, stringify(plain, { lineWidth: 0 }))
    return { file, did: 'created' }
  }
  const document = place.documents[place.index] as Document.Parsed
  if (isDeepStrictEqual(document.toJS(), plain)) return { file: place.file, did: 'unchanged' }
  merge(document.contents as unknown as YAMLMap, plain, document)
  await replaceFile(place.file, join_(place.documents))
  return { file: place.file, did: 'configured' }
}

/** Takes the document that declares an object out of its file; the file goes with its last document. */
export async function deleteObject(folder: string, object: ObjectName): Promise<Edit | undefined> {
  const place = await find(folder, object)
  if (!place) return undefined
  const rest = place.documents.filter((_, i) => i !== place.index)
  if (rest.every((d) => d.toJS() === null)) await rm(place.file)
  else await replaceFile(place.file, join_(rest))
  return { file: place.file, did: 'deleted' }
}
