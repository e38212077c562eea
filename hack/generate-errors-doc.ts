import { ERRORS, type ErrorSpec } from '../base/errors.ts'

const cell = (text: string) =>
  text
    .replaceAll('|', '\\|')
    .replace(/\{(\w+)\}/g, '<$1>')
    .replaceAll('<', '&lt;')

/** docs/errors.md, from the table in base/errors.ts. */
export function generateErrorsDoc(): Map<string, string> {
  const rows = Object.entries(ERRORS as Record<string, ErrorSpec>)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([code, { message, hint }]) => `| \`${code}\` | ${cell(message)} | ${cell(hint)} |`)
  const page = `<!-- Generated from base/errors.ts by hack/generate-errors-doc.ts. Do not edit. -->
# Errors

Every error that ppn raises for a person. A code is stable: it is in \`ppn validate -o json\` and in log lines, and a
code is never given another meaning. &lt;name> stands for what is filled in. Reasons of conditions are another list:
[conditions.md](conditions.md).

| code | what was wrong | what to do |
|---|---|---|
${rows.join('\n')}
`
  return new Map([['docs/errors.md', page]])
}
