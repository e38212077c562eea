// How people name things: `nodes`, `node/edge-2`, `pnode edge-2`, `nodes.ppn.dev`, `all`, `archives a b`.

import { GROUP, KINDS, type Kind, keyOf, type ObjectKey } from '../api/meta.ts'
import { NAMES } from '../api/names.ts'
import { DEFAULT_NAMESPACE } from '../api/parse.ts'
import { suggest } from '../api/suggest.ts'
import { NAMESPACED } from '../api/v1alpha1/index.ts'
import { CliError, EXIT } from './exit.ts'

export interface Target {
  kind: Kind
  /** Absent: every object of the kind. */
  name?: string
}

const words = (kind: Kind) => [NAMES[kind].plural, NAMES[kind].singular, ...NAMES[kind].shortNames]

/** The kind a word means. Throws with a suggestion for a misspelt one. */
export function kindOf(word: string): Kind {
  const bare = word.toLowerCase().replace(new RegExp(`\\.(v1alpha1\\.)?${GROUP.replace('.', '\\.')}$`), '')
  const found = KINDS.find((kind) => words(kind).includes(bare))
  if (found) return found
  // `pools` is no misspelling but the end of a longer word.
  const near =
    KINDS.flatMap(words).find((known) => known.endsWith(bare) && bare.length > 2) ?? suggest(bare, KINDS.flatMap(words))
  throw new CliError(
    EXIT.usage,
    `there is no kind "${word}"${near ? `; did you mean ${near}?` : ''}`,
    `kinds: ${KINDS.map((k) => NAMES[k].plural).join(', ')}, all`,
  )
}

/** kubectl's forms: KIND[,KIND...] [NAME ...] or KIND/NAME ...; `all` stands for every kind. */
export function parseTargets(args: readonly string[]): Target[] {
  const [first, ...rest] = args
  if (first === undefined) throw new CliError(EXIT.usage, 'say what: a kind, KIND/NAME, or all', 'e.g. ppn get nodes')
  if (args.some((a) => a.includes('/'))) {
    return args.map((arg) => {
      const [kind, name, more] = arg.split('/')
      if (!kind || !name || more !== undefined) throw new CliError(EXIT.usage, `"${arg}" is not of the form KIND/NAME`)
      return { kind: kindOf(kind), name }
    })
  }
  const kinds = first === 'all' ? [...KINDS] : first.split(',').map(kindOf)
  if (rest.length === 0) return kinds.map((kind) => ({ kind }))
  return kinds.flatMap((kind) => rest.map((name) => ({ kind, name })))
}

/** The key of a target that names one object. */
export function keyOfTarget(target: Target, namespace: string | undefined): ObjectKey {
  if (target.name === undefined) throw new CliError(EXIT.usage, `say which ${NAMES[target.kind].singular}`)
  return NAMESPACED[target.kind]
    ? keyOf(target.kind, target.name, namespace ?? DEFAULT_NAMESPACE)
    : keyOf(target.kind, target.name)
}

/** `node/edge-2`, as `ppn get -o name` prints it and every verb takes it. */
export function displayName(object: { kind: Kind; metadata: { name: string } }): string {
  return `${NAMES[object.kind].singular}.${GROUP}/${object.metadata.name}`
}
