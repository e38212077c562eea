// Prometheus' text format, as far as prom-client writes it.

export interface Sample {
  name: string
  labels: Readonly<Record<string, string>>
  value: number
}

const LINE = /^(\w+)(?:\{(.*)\})? (\S+)$/
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g

export function readScrape(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name, inner = '', value] = line.startsWith('#') ? [] : (LINE.exec(line) ?? [])
    if (name === undefined) return []
    const labels = Object.fromEntries([...inner.matchAll(LABEL)].map(([, key, said]) => [key, said]))
    return [{ name, labels, value: Number(value) }]
  })
}

export interface Selector {
  name: string
  /** Label to the alternatives it may have; those of a negated matcher are not looked at. */
  labels: Readonly<Record<string, readonly string[]>>
}

/** A metric of ours or of the libraries whose names we follow. */
const METRIC =
  /\b((?:ppn|controller_runtime|workqueue|leader_election|rest_client|process|nodejs)_\w+)(?:\{([^}]*)\})?/g
const MATCHER = /(\w+)(=~|!=|!~|=)"([^"]*)"/g
/** Added by Prometheus, never by us. */
const TARGET = new Set(['namespace', 'pod'])

/** What an expression looks for. */
export function selectorsOf(expression: string): Selector[] {
  return [...expression.matchAll(METRIC)].map(([, name = '', inner = '']) => ({
    name,
    labels: Object.fromEntries(
      [...inner.matchAll(MATCHER)]
        .filter(([, label = '']) => !TARGET.has(label))
        .map(([, label = '', how, said = '']) => [label, how === '=~' ? said.split('|') : how === '=' ? [said] : []]),
    ),
  }))
}

/** Every metric, and every value of a label, that the scrape has no series for. */
export function absentFrom(samples: readonly Sample[], { name, labels }: Selector): string[] {
  const of = samples.filter((sample) => sample.name === name)
  if (of.length === 0) return [name]
  return Object.entries(labels).flatMap(([label, alternatives]) =>
    // A label that no series has is a mistyped one, also in a negated matcher.
    of.every((sample) => sample.labels[label] === undefined)
      ? [`${name}{${label}}`]
      : alternatives
          .filter((value) => !of.some((sample) => sample.labels[label] === value))
          .map((value) => `${name}{${label}="${value}"}`),
  )
}
