// What a check says. Checks are pure: a list over facts; probes gather the facts.

export interface Finding {
  check: string
  /** `lacks`: ppn cannot do its work without it. `warns`: it can, with less. */
  verdict: 'ok' | 'warns' | 'lacks'
  found: string
  /** The exact command, or what to do. */
  fix?: string
  /** Debian packages that would mend it. */
  packages?: readonly string[]
}

export type Check<F> = (facts: F) => Finding | undefined

export const ok = (check: string, found: string): Finding => ({ check, verdict: 'ok', found })
export const warns = (check: string, found: string, fix: string): Finding => ({ check, verdict: 'warns', found, fix })
export const lacks = (check: string, found: string, fix: string): Finding => ({ check, verdict: 'lacks', found, fix })

/** As `lacks`, mended by installing. */
export const lacksPackages = (check: string, found: string, ...packages: string[]): Finding => ({
  ...lacks(check, found, install(packages)),
  packages,
})

export const install = (packages: readonly string[]): string =>
  `apt-get install -y --no-install-recommends ${packages.join(' ')}`

export function runChecks<F>(checks: readonly Check<F>[], facts: F): Finding[] {
  return checks.flatMap((check) => check(facts) ?? [])
}
