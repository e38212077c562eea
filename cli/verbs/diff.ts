import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { styleText } from 'node:util'
import { stringify } from 'yaml'
import { KINDS, keyOf, type ObjectKey, parseKey } from '../../api/meta.ts'
import type { AnyObject } from '../../api/v1alpha1/index.ts'
import { connectAdmin } from '../../authority/admin/client.ts'
import { systemRandom } from '../../base/random.ts'
import { validateFolder } from '../../stores/files/validate.ts'
import { readState } from '../../stores/sqlite/read-state.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { humanDuration } from '../output/duration.ts'
import { problemText } from '../output/problems.ts'
import { unified } from '../output/unified.ts'
import { rehearse } from '../rehearsal/rehearse.ts'
import { consequenceLines, warningLines } from '../rehearsal/report.ts'
import { displayName } from '../resource.ts'
import { stateFolderFor } from '../state.ts'

const keyFor = ({ kind, metadata }: AnyObject): ObjectKey => keyOf(kind, metadata.name, metadata.namespace)

/** What an author can change of an object. */
function written(object: AnyObject | undefined): string {
  if (!object) return ''
  const { labels, annotations } = object.metadata
  const some = (map: Readonly<Record<string, string>>) => (Object.keys(map).length > 0 ? map : undefined)
  const parts = { labels: some(labels), annotations: some(annotations), spec: object.spec }
  return stringify(JSON.parse(JSON.stringify(parts)), { lineWidth: 0 })
}

/** Tombstones do not count as accepted: their files are gone already. */
function pairsOf(accepted: readonly AnyObject[], declared: readonly AnyObject[]) {
  const before = new Map(accepted.filter((o) => o.metadata.deletionTimestamp === undefined).map((o) => [keyFor(o), o]))
  const after = new Map(declared.map((o) => [keyFor(o), o]))
  return [...new Set([...before.keys(), ...after.keys()])]
    .sort((a, b) => KINDS.indexOf(parseKey(a).kind) - KINDS.indexOf(parseKey(b).kind) || (a < b ? -1 : 1))
    .map((key) => ({ before: before.get(key), after: after.get(key) }))
}

type Paint = (style: 'green' | 'red' | 'bold' | 'yellow', text: string) => string

/** The heading and changed lines of one object; empty when it stays as it is. */
function objectLines(before: AnyObject | undefined, after: AnyObject | undefined, paint: Paint): string[] {
  const changes = unified(written(before), written(after))
  if (changes.length === 0) return []
  const what = before ? (after ? 'changed' : 'removed') : 'added'
  const { kind, metadata } = (after ?? before) as AnyObject
  const name = `${displayName({ kind, metadata })}${metadata.namespace === undefined ? '' : ` (${metadata.namespace})`}`
  const color = { '+': 'green', '-': 'red', ' ': undefined } as const
  return [
    paint('bold', `${name} ${what}`),
    ...changes.map(({ mark, text }) => {
      const style = color[mark]
      return style ? paint(style, `${mark} ${text}`) : `${mark} ${text}`
    }),
    '',
  ]
}

async function sayHowOld(io: Io, state: string, writtenMs: number | undefined): Promise<void> {
  if (writtenMs === undefined) io.err('no fleet has run yet: everything is new\n')
  else if (!(await connectAdmin(state)))
    io.err(`no authority runs; compared with its state of ${humanDuration(io.clock.now() - writtenMs)} ago\n`)
  if (existsSync(join(state, 'brake'))) io.err('the brake is set: nothing of this goes out before it is released\n')
}

/**
 * `ppn diff DIR`: what would change, be sent and be written if DIR were declared. Compares with what was last accepted,
 * which a running authority has durable at every moment; the consequences are found by rehearsing them on machines
 * that obey at once (cli/rehearsal/).
 */
export async function diff(io: Io, dir: string, options: { state?: string }): Promise<ExitCode> {
  const state = stateFolderFor(io, dir, options.state)
  const { objects: declared, problems } = await validateFolder(resolve(io.cwd, dir), io.clock)
  for (const problem of problems) io.err(problemText(io, problem, dir))
  if (problems.some((problem) => problem.severity === 'error'))
    throw new CliError(
      EXIT.failed,
      `${dir} has errors`,
      'mend them first; an authority holds what they concern as it is',
    )
  const accepted = readState(state)
  await sayHowOld(io, state, accepted?.writtenMs)
  const { objects = [], records = [] } = accepted ?? {}
  const old = objects.filter((object) => object.kind !== 'Pairing')

  const paint: Paint = (style, text) => (io.color ? styleText(style, text, { validateStream: false }) : text)
  const changes = pairsOf(old, declared).flatMap(({ before, after }) => objectLines(before, after, paint))
  if (changes.length === 0) {
    io.err('no differences\n')
    return EXIT.ok
  }
  const found = await rehearse({
    accepted: { objects: old, records },
    declared,
    nowMs: io.clock.now(),
    random: systemRandom,
  })
  const plan = consequenceLines(found)
  io.out(`${changes.join('\n')}\n`)
  io.out(plan.length === 0 ? 'nothing would be sent or written\n' : `${plan.join('\n')}\n`)
  for (const problem of found.problems) io.out(paint('red', problemText(io, { ...problem, file: undefined }, dir)))
  for (const line of warningLines(found)) io.out(`${paint('yellow', line)}\n`)
  return EXIT.no
}
