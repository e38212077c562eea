import { stringify } from 'yaml'
import { NAMES } from '../../api/names.ts'
import { DEFAULT_NAMESPACE } from '../../api/parse.ts'
import { type AnyObject, NAMESPACED } from '../../api/v1alpha1/index.ts'
import { connectAdmin } from '../../authority/admin/client.ts'
import { CliError, EXIT, type ExitCode } from '../exit.ts'
import type { Io } from '../io.ts'
import { humanDuration } from '../output/duration.ts'
import { tellNotices } from '../output/notices.ts'
import { manifest, manifests } from '../output/plain.ts'
import { objectTable } from '../output/table.ts'
import { displayName, parseTargets, type Target } from '../resource.ts'
import { findStateFolder, readFleet } from '../state.ts'

export interface GetOptions {
  state?: string
  namespace?: string
  allNamespaces?: boolean
  output?: string
  watch?: boolean
  headers?: boolean
  selector?: string
}

/** Outputs for programs: nothing is said beside them. */
const MACHINE_READ = ['json', 'yaml', 'name']
const OUTPUTS = ['table', 'wide', ...MACHINE_READ]

/** `a=b,c!=d,e` on labels, as kubectl's equality-based selectors. */
export function labelSelector(text: string): (labels: Readonly<Record<string, string>>) => boolean {
  const terms = text.split(',').map((term) => {
    const m = /^(!?)([^=!]+)(?:(==|=|!=)(.*))?$/.exec(term.trim())
    if (!m) throw new CliError(EXIT.usage, `"${term}" is not a label selector`, 'e.g. -l building=arts,site!=cloud')
    const [, not, key, operator, value] = m as unknown as [string, string, string, string?, string?]
    if (operator === undefined) return (l: Readonly<Record<string, string>>) => key in l === (not === '')
    return (l: Readonly<Record<string, string>>) => (l[key] === value) === (operator !== '!=')
  })
  return (labels) => terms.every((term) => term(labels))
}

function selects(target: Target, options: GetOptions): (object: AnyObject) => boolean {
  const label = options.selector ? labelSelector(options.selector) : () => true
  const namespace =
    options.namespace ?? (target.name === undefined || options.allNamespaces ? undefined : DEFAULT_NAMESPACE)
  return (object) =>
    object.kind === target.kind &&
    (target.name === undefined || object.metadata.name === target.name) &&
    (!NAMESPACED[object.kind] || namespace === undefined || object.metadata.namespace === namespace) &&
    label(object.metadata.labels)
}

function print(io: Io, groups: readonly { target: Target; objects: AnyObject[] }[], options: GetOptions): void {
  const output = options.output ?? 'table'
  const all = groups.flatMap((g) => g.objects)
  if (output === 'json' || output === 'yaml') {
    const single = groups.length === 1 && groups[0]?.target.name !== undefined
    const data = manifests(all, single)
    io.out(output === 'json' ? `${JSON.stringify(data, null, 2)}\n` : stringify(data))
    return
  }
  if (output === 'name') {
    io.out(all.map((o) => `${displayName(o)}\n`).join(''))
    return
  }
  const kinds = [...new Set(groups.map((g) => g.target.kind))]
  const shown = kinds.filter((kind) => all.some((o) => o.kind === kind))
  for (const [i, kind] of shown.entries()) {
    if (i > 0) io.out('\n')
    io.out(
      objectTable(
        kind,
        all.filter((o) => o.kind === kind),
        {
          wide: output === 'wide',
          // Archives of several namespaces are told apart without being asked.
          namespaces: options.namespace === undefined,
          headers: options.headers !== false,
          kinds: kinds.length > 1,
          nowMs: io.clock.now(),
        },
      ),
    )
  }
}

async function follow(io: Io, targets: readonly Target[], options: GetOptions): Promise<ExitCode> {
  const client = await connectAdmin(await findStateFolder(io, options.state))
  if (!client) throw new CliError(EXIT.unavailable, 'nothing to watch: no authority runs', 'start it with `ppn up DIR`')
  let headers = options.headers !== false
  try {
    for await (const { type, object } of client.watch({}, io.signal)) {
      const target = targets.find((t) => selects(t, options)(object))
      if (!target) continue
      if (options.output === 'json') io.out(`${JSON.stringify({ type, object: manifest(object) })}\n`)
      else print(io, [{ target, objects: [object] }], { ...options, headers })
      headers = false
    }
  } catch (error) {
    if (!io.signal.aborted) throw error
  }
  return EXIT.ok
}

/** `ppn get`: answers from the running authority, else from its state, saying how old that is. */
export async function get(io: Io, args: readonly string[], options: GetOptions): Promise<ExitCode> {
  if (options.output !== undefined && !OUTPUTS.includes(options.output))
    throw new CliError(EXIT.usage, `there is no output "${options.output}"`, `one of: ${OUTPUTS.join(', ')}`)
  const targets = parseTargets(args)
  if (options.watch) return await follow(io, targets, options)
  const { objects, writtenMs, client } = await readFleet(io, options.state)
  if (writtenMs !== undefined)
    io.err(`no authority runs; this is its state of ${humanDuration(io.clock.now() - writtenMs)} ago\n`)
  const groups = targets.map((target) => ({ target, objects: objects.filter(selects(target, options)) }))
  print(
    io,
    groups.filter((g) => g.objects.length > 0),
    options,
  )
  if (client && !MACHINE_READ.includes(options.output ?? '')) await tellNotices(io, client)
  let code: ExitCode = EXIT.ok
  for (const { target, objects: found } of groups) {
    if (found.length > 0 || target.name === undefined) continue
    io.err(`${NAMES[target.kind].plural}.ppn.dev "${target.name}" not found\n`)
    code = EXIT.no
  }
  if (code === EXIT.ok && groups.every((g) => g.objects.length === 0) && !MACHINE_READ.includes(options.output ?? ''))
    io.err('no resources found\n')
  return code
}
