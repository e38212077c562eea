// The subset of JSONPath that printer columns use: `.a.b`, and `.list[?(@.type=="Ready")].field`.

/** The value at `path`, or undefined. Throws a TypeError on a path outside the subset: columns are our own. */
export function jsonPath(object: unknown, path: string): unknown {
  let at: unknown = object
  let rest = path
  while (rest !== '') {
    const field = /^\.([A-Za-z][A-Za-z0-9]*)/.exec(rest)
    const filter = /^\[\?\(@\.([A-Za-z]+)=="([^"]*)"\)\]/.exec(rest)
    if (field) {
      at = (at as Record<string, unknown> | undefined)?.[field[1] as string]
      rest = rest.slice(field[0].length)
    } else if (filter) {
      const [whole, name, value] = filter as unknown as [string, string, string]
      at = Array.isArray(at) ? at.find((entry) => entry?.[name] === value) : undefined
      rest = rest.slice(whole.length)
    } else throw new TypeError(`not a path of a printer column: ${path}`)
  }
  return at
}
