// Reads what `-f` names: files, folders, or standard input.
import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'
import { type ObjectDraft, parseObject } from '../../api/parse.ts'
import { CliError, EXIT } from '../exit.ts'
import type { Io } from '../io.ts'

export interface ReadDocument {
  /** As given; `-` for standard input. */
  file: string
  draft: ObjectDraft
  /** The document as written. */
  plain: Record<string, unknown>
  text: string
}

async function expand(path: string): Promise<string[]> {
  if (path === '-') return ['-']
  const there = await stat(path).catch(() => undefined)
  if (!there) throw new CliError(EXIT.failed, `there is no ${path}`)
  if (!there.isDirectory()) return [path]
  const entries = await readdir(path, { recursive: true })
  return entries
    .filter((e) => /\.(ya?ml|json)$/.test(e) && !e.split('/').some((part) => part.startsWith('.')))
    .sort()
    .map((e) => join(path, e))
}

type Plain = Record<string, unknown>

/** What `kubectl get -o yaml` prints is one List: each of its items is an object of its own. */
function objectsIn(plain: Plain, text: string): { plain: Plain; text: string }[] {
  const { apiVersion, kind, items } = plain
  if (apiVersion !== 'v1' || kind !== 'List' || !Array.isArray(items)) return [{ plain, text }]
  return (items as Plain[]).map((item) => ({ plain: item, text: stringify(item, { lineWidth: 0 }) }))
}

/** Every object in the files; the first fault ends it, with its place, so that nothing is half done. */
export async function readDocuments(io: Io, files: readonly string[]): Promise<ReadDocument[]> {
  if (files.length === 0)
    throw new CliError(EXIT.usage, 'say which files with -f', 'e.g. -f node.yaml, or -f - for standard input')
  const paths = (await Promise.all(files.map((file) => expand(file === '-' ? file : resolve(io.cwd, file))))).flat()
  const found: ReadDocument[] = []
  for (const file of paths) {
    const text = await io.read(file)
    for (const document of parseAllDocuments(text)) {
      const fault = document.errors[0]
      if (fault)
        throw new CliError(
          EXIT.no,
          `${file}:${fault.linePos?.[0].line ?? 1}:${fault.linePos?.[0].col ?? 1}: ${fault.message}`,
        )
      const whole = document.toJS() as Record<string, unknown> | null
      if (whole === null) continue
      for (const { plain, text } of objectsIn(whole, document.toString())) {
        const parsed = parseObject(plain)
        if (parsed.type === 'foreign') continue
        if (parsed.type === 'invalid') {
          const issue = parsed.issues[0]
          throw new CliError(
            EXIT.no,
            `${file}: ${issue?.message ?? 'invalid'}`,
            issue?.suggestion ? `did you mean ${issue.suggestion}?` : 'see `ppn validate`',
          )
        }
        found.push({ file, draft: parsed.draft, plain, text })
      }
    }
  }
  return found
}
