import { CliError, EXIT } from './exit.ts'

const UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds of a duration as Kubernetes writes it: 90s, 5m, 1h30m, 500ms. Throws CliError (usage). */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map((p) => p[0]).join('') !== text)
    throw new CliError(EXIT.usage, `"${text}" is not a duration`, 'e.g. 90s, 5m or 1h30m')
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * (UNIT[unit as string] as number), 0)
}
