// Random objects and random updates: several fields at once, where the cases from the bounds vary one. The same every
// time, so that a difference found can be looked at again.
import { KINDS, type Kind } from '../../api/meta.ts'
import { seededRandom } from '../../testing/seeded-random.ts'
import { fullObject, minimalObject, type PlainObject, withField } from './base.ts'
import { objectCases, type UpdateCase } from './cases.ts'

export interface GeneratedObject {
  label: string
  object: PlainObject
}

type Path = readonly (string | number)[]

/** A whole number below `n`. */
type Below = (n: number) => number

function below(seed: number): Below {
  const random = seededRandom(seed)
  return (n) => Buffer.from(random(4)).readUInt32BE() % n
}

interface FieldValue {
  path: Path
  value: unknown
}

/** Every spec that the cases hold, cut into (path, value): of the sound ones, and of all. */
function fieldValues(kind: Kind): { sound: FieldValue[]; all: FieldValue[] } {
  const walk = (value: unknown, path: Path): FieldValue[] => [
    ...(path.length > 1 ? [{ path, value }] : []),
    ...(typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value).flatMap(([name, inner]) => walk(inner, [...path, name]))
      : []),
  ]
  const cases = objectCases().filter(({ object }) => object.kind === kind)
  const of = (some: typeof cases) => some.flatMap(({ object }) => walk(object.spec, ['spec']))
  return { sound: of(cases.filter(({ valid }) => valid)), all: of(cases) }
}

/** Absence is what defaults and rules over several fields are about. */
const REMOVE_ONE_IN = 6
/** One unsound field hides what the others do. */
const UNSOUND_ONE_IN = 4

function varied(object: PlainObject, values: ReturnType<typeof fieldValues>, pick: Below, changes: number) {
  let varied = object
  for (let i = 0; i < changes; i++) {
    const from = pick(UNSOUND_ONE_IN) === 0 ? values.all : values.sound
    const { path, value } = from[pick(from.length)]!
    try {
      varied = withField(varied, path, pick(REMOVE_ONE_IN) === 0 ? undefined : value)
    } catch {
      // An earlier change put a number where this one wants a mapping.
    }
  }
  return varied
}

/** `count` objects, one kind after the other: one to four fields of a full or a minimal one set to what cases hold. */
export function generatedObjects(count: number, seed = 1): GeneratedObject[] {
  const pick = below(seed)
  const values = new Map(KINDS.map((kind) => [kind, fieldValues(kind)]))
  return Array.from({ length: count }, (_, at) => {
    const kind = KINDS[at % KINDS.length] as Kind
    const base = pick(2) === 0 ? fullObject(kind) : minimalObject(kind)
    return { label: `${kind} #${at}`, object: varied(base, values.get(kind)!, pick, 1 + pick(4)) }
  })
}

/** `count` pairs of which the first is one of the sound bases; whether the second may follow it is for the readers. */
export function generatedUpdates(count: number, seed = 2): Omit<UpdateCase, 'valid'>[] {
  const pick = below(seed)
  const values = new Map(KINDS.map((kind) => [kind, fieldValues(kind)]))
  return Array.from({ length: count }, (_, at) => {
    const kind = KINDS[at % KINDS.length] as Kind
    const before = pick(2) === 0 ? fullObject(kind) : minimalObject(kind)
    return { label: `${kind} update #${at}`, before, after: varied(before, values.get(kind)!, pick, 1 + pick(2)) }
  })
}
